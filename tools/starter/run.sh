#!/usr/bin/env bash
# Trains the starter model and writes models/starter/starter.gguf: tools/starter/run.sh [STEPS]
# Every part continues where it stopped: run it again after an interruption. What it makes on the way
# lies in build/starter; remove that folder to begin anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
steps=${1:-6200}
batch=8                # rows per step
rows_per_file=1000
tools=tools/starter
work=build/starter
train=build/release/bin/starter_train
program=build/release/bin/anyclaude
mkdir -p $work/rows

cmake --build build/release --target starter_train anyclaude

[ -f $work/vocabulary.json ] || python3 $tools/make_rows.py vocabulary $work/vocabulary.json
files=$((steps * batch / rows_per_file))
for i in $(seq 0 "$files"); do
  file=$work/rows/train-$(printf %04d "$i").rows
  [ -f "$file" ] && continue
  # Few tools and much repetition first: copying is learned from that in minutes.
  case $i in
    0) mix="--easy --repeat 0.5" ;;
    1 | 2) mix="--easy --repeat 0.2" ;;
    *) mix="--repeat 0.05" ;;
  esac
  # shellcheck disable=SC2086
  python3 $tools/make_rows.py rows $work/vocabulary.json "$file" --seed $((1000 + i)) --rows $rows_per_file $mix
done
[ -f $work/held_out.rows ] ||
  python3 $tools/make_rows.py rows $work/vocabulary.json $work/held_out.rows --seed 1 --rows 32 --held-out

$train --shape $tools/shape.json --checkpoint $work/checkpoint train --data $work/rows \
  --held-out $work/held_out.rows --steps "$steps" --batch $batch | tee -a $work/train.log

# The scores go into the file, so it is written twice.
write_model() {
  $train --shape $tools/shape.json --checkpoint $work/checkpoint export --vocabulary $work/vocabulary.json \
    --template $tools/chat_template.jinja --card "$1" -o $work/f32.gguf
  $program models quantize $work/f32.gguf $work/starter.gguf --type q8_0
}
write_model $tools/card.json
python3 $tools/evaluate.py --binary $program --model $work/starter.gguf --count 300 --json $work/short.json
scores="--short $work/short.json"
claude=tests/npm/node_modules/.bin/claude
if [ -x $claude ]; then
  python3 $tools/evaluate.py --binary $program --model $work/starter.gguf --count 100 --claude $claude \
    --json $work/claude.json
  scores="$scores --claude $work/claude.json"
fi
# shellcheck disable=SC2086
python3 $tools/card.py $tools/card.json $scores --steps "$steps" >$work/card.json
write_model $work/card.json
mkdir -p models/starter
cp $work/starter.gguf models/starter/starter.gguf
$program models inspect models/starter/starter.gguf
