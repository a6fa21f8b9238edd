# Thin on purpose: every target calls a CMake preset or a script in tools/. `make help` lists them.
# Variables: PRESET (release), ARGS (for run), T and S (fuzz target, seconds), PRESETS (for full).
PRESET ?= release
PORT ?= 4141
S ?= 60
BUILD := build/$(PRESET)

.PHONY: run demo test build configure check full bench starter fmt tidy fuzz clean help

run: build  ## install what is missing, build, start the server (ARGS="--mode M --model F ...")
	@exec build/anyclaude serve --port $(PORT) $(ARGS)

demo: build  ## play an agent's session and show what each turn waits for (ARGS="--model F")
	@build/anyclaude demo $(ARGS)

test:  ## install what is missing, build everything, run every test
	@tools/bootstrap.sh --what test
	@$(MAKE) --no-print-directory configure
	@cmake --build $(BUILD)
	@ctest --test-dir $(BUILD) --output-on-failure --no-label-summary -j 2

build:  ## leave the release binary at build/anyclaude
	@tools/bootstrap.sh --what run
	@$(MAKE) --no-print-directory configure PRESET=release
	@cmake --build build/release --target anyclaude
	@ln -sfn release/bin/anyclaude build/anyclaude

configure: $(BUILD)/build.ninja
$(BUILD)/build.ninja: CMakePresets.json
	@cmake --preset $(PRESET)

check:  ## the checks of a change, under a minute on a built tree
	@tools/bootstrap.sh --what check
	@tools/check.sh $(PRESET)

full:  ## every preset, every test, each fuzzer for 30 s (PRESETS="asan tsan" for some)
	@tools/bootstrap.sh --what full
	@tools/full.sh

bench:  ## build and run the benchmarks of the modules (T=name for one)
	@tools/bootstrap.sh --what bench
	@$(MAKE) --no-print-directory configure
	@tools/bench.sh $(BUILD) $(T)

starter:  ## train the starter model again (hours; continues where it stopped; STEPS=n)
	@tools/bootstrap.sh --what test
	@$(MAKE) --no-print-directory configure PRESET=release
	@tools/starter/run.sh $(STEPS)

fmt:  ## format every tracked source
	@tools/check_format.sh --fix

tidy:  ## clang-tidy on the changed files
	@tools/check_tidy.sh

fuzz:  ## run one fuzzer: make fuzz T=name S=seconds
	@tools/bootstrap.sh --what full
	@tools/fuzz.sh "$(T)" $(S)

clean:  ## remove build/
	@rm -rf build

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12
