# make demo        set up, build, make sample data, run the quickstart
# make demo-cloud  the same as jobs of Cloud Run and of Vertex AI, on a stand-in for Google's services: no account, no money
# make build       set up and build; leaves the link ./pipe
# make test        set up and pass every check that a change must pass
# make torture     kill it, fill its disk, cut its power, and show that nothing is lost; half an hour
# make test-more   the long ones: more seeds, more kills, hostile input
# make fuzz        look for hostile input; FUZZ_SECONDS for each target, 60 unless told
# make coverage    which lines of the spec reader the kept hostile input reaches
# make bench-plan  plan of 100,000 tasks beside ninja, snakemake and dvc, which it installs for itself; 10 minutes
# make bench-engine  runs of 1,000 to 100,000 tasks beside ninja, make, snakemake, luigi and dvc; half an hour
# make bench-clips  clips beside one ffmpeg process for each, 5 minutes; with FULL=1 60 of them and smartcut, 45 minutes
# make clips-table  what comes of each hard video, written into docs/clips.md
# make golden      what torchvision, Pillow and OpenCV make of a picture, for the tests; installs 3 GB for itself
# make bench-frames  frames to tensors beside torchvision, torchcodec, PyAV, OpenCV and Pillow; same 3 GB, 10 minutes
# make schemas     write schemas/ anew from the types

export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pipe/target
bin := $(CARGO_TARGET_DIR)/release

.PHONY: demo demo-cloud test test-more torture fuzz coverage bench-plan bench-engine bench-clips bench-frames golden clips-table schemas setup build data

demo: build data
	@./pipe run specs/quickstart.toml

demo-cloud: build data
	@tools/google.sh > /dev/null
	@tools/demo-cloud.sh $(bin)

setup:
	@tools/setup.sh

build: setup
	@tools/timed.sh "build (release; 8 minutes from nothing on two cores)" cargo build --release --quiet -p pipe -p pipe-testdata -p pipe-standin
	@ln -sfn $(bin)/pipe pipe

data: build
	@tools/timed.sh "sample data" $(bin)/make-testdata --out testdata

test:
	@tools/test.sh

test-more:
	@tools/test-more.sh

torture: setup
	@tools/torture.sh

fuzz: setup
	@tools/fuzz.sh $${FUZZ_SECONDS:-60}

coverage: setup
	@tools/coverage.sh

bench-clips: setup
	@cargo build --release --quiet -p pipe-video --example cut
	@tools/bench-clips.py $(bin)/examples/cut $(if $(FULL),--full)

clips-table: setup
	@PIPE_CORPUS_TABLE=$(CURDIR)/docs/clips.md cargo nextest run -p pipe-video --cargo-quiet -E 'test(/^corpus::/)'

schemas: setup
	@cargo run --quiet -p pipe -- schema --write schemas

bench-plan: build data
	@tools/bench-plan.py $(bin)/pipe

bench-engine: build
	@tools/bench-engine.py $(bin)/pipe

golden:
	@tools/golden.py

bench-frames: setup
	@cargo build --release --quiet -p pipe-video --example bench_frames
	@tools/bench-frames.py $(bin)/examples/bench_frames
