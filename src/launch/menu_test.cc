#include "launch/menu.h"

#include <gtest/gtest.h>

namespace ac::launch {
namespace {

using State = Menu::State;

Menu Three(size_t selected = 0) {
  return Menu({{"local", "Local engine", "warm, 0.4 s last turn"},
               {"lmstudio", "LM Studio", "found on port 1234"},
               {"claude", "Cloud", ""}},
              selected);
}

struct Case {
  const char* keys;
  State state;
  size_t selected;
};

TEST(Menu, KeysMoveChooseAndLeave) {
  const Case cases[] = {
      {"\r", State::kChosen, 0},
      {"\n", State::kChosen, 0},
      {"\x1b[B\r", State::kChosen, 1},
      {"\x1bOB\x1bOB\r", State::kChosen, 2},
      {"\x1b[A\r", State::kChosen, 2},              // wraps upwards
      {"\x1b[B\x1b[B\x1b[B\r", State::kChosen, 0},  // wraps downwards
      {"jjk\r", State::kChosen, 1},
      {"\t\r", State::kChosen, 1},
      {"3", State::kChosen, 2},
      {"2", State::kChosen, 1},
      {"9", State::kOpen, 0},  // no such line
      {"0", State::kOpen, 0},
      {"q", State::kLeft, 0},
      {"\x03", State::kLeft, 0},
      {"\x04", State::kLeft, 0},
      {"x y z", State::kOpen, 0},
      {"\x1b[3~\x1b[1;5C\r", State::kChosen, 0},  // Delete and Ctrl-Right mean nothing here
      {"1\x1b[B", State::kChosen, 0},             // nothing after a choice counts
  };
  for (const Case& c : cases) {
    Menu menu = Three();
    EXPECT_EQ(menu.Feed(c.keys), c.state) << c.keys;
    EXPECT_EQ(menu.selected(), c.selected) << c.keys;
  }
}

TEST(Menu, SequencesMayArriveInPieces) {
  Menu menu = Three();
  menu.Feed("\x1b");
  menu.Feed("[");
  menu.Feed("B");
  EXPECT_EQ(menu.selected(), 1u);
  EXPECT_EQ(menu.state(), State::kOpen);
}

TEST(Menu, ALoneEscapeLeavesOnlyWhenNothingFollows) {
  Menu menu = Three();
  EXPECT_EQ(menu.Idle(), State::kOpen);
  EXPECT_EQ(menu.Feed("\x1b"), State::kOpen);
  EXPECT_EQ(menu.Idle(), State::kLeft);
}

TEST(Menu, EnterTakesThePreselectedItem) {
  Menu menu = Three(2);
  EXPECT_EQ(menu.Feed("\r"), State::kChosen);
  EXPECT_EQ(menu.selected(), 2u);
  EXPECT_EQ(Three(99).selected(), 2u) << "a selection that is gone falls back to the last line";
}

TEST(Menu, ThePictureShowsNumbersTitlesDetailsAndTheSelection) {
  const std::string picture = Three(1).Render(80);
  EXPECT_NE(picture.find("1 Local engine  warm, 0.4 s last turn\r\n"), std::string::npos)
      << picture;
  EXPECT_NE(picture.find("> 2 LM Studio     found on port 1234"), std::string::npos) << picture;
  EXPECT_NE(picture.find("   3 Cloud\r\n"), std::string::npos) << picture;
}

TEST(Menu, ANarrowTerminalCutsLinesButNotCharacters) {
  Menu menu({{"a", "t\xC3\xA9t\xC3\xA9", ""}}, 1);
  for (size_t width = 1; width < 12; ++width) {
    const std::string picture = menu.Render(width);
    EXPECT_EQ(static_cast<size_t>(std::count(picture.begin(), picture.end(), '\n')),
              menu.LineCount());
    for (size_t at = picture.find('\xC3'); at != std::string::npos;
         at = picture.find('\xC3', at + 1)) {
      ASSERT_LT(at + 1, picture.size());
      EXPECT_EQ(picture[at + 1], '\xA9') << width;
    }
  }
}

}  // namespace
}  // namespace ac::launch
