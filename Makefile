# A thin front: every target installs and builds what it needs first.
B := build

.PHONY: all deps build quick check check-all demo up down bench soak mutants install deb format lint clean

all: build

deps:
	@tools/deps

$(B)/build.ninja: | deps
	@echo "setup: $(B)"
	@CC=clang-19 AR=llvm-ar-19 meson setup $(B) >$(B).setup.log 2>&1 || \
		{ tail -n 30 $(B).setup.log; exit 1; }
	@mv $(B).setup.log $(B)/setup.log

# Everything: host half, kernel, release kits.
build: $(B)/build.ninja
	@ninja -C $(B)

# Build and run the unit tests; seconds.
quick: $(B)/build.ninja
	@ninja --quiet -C $(B)
	@meson test -C $(B) --no-rebuild --quiet --suite unit --print-errorlogs

check: build
	@tools/check

# The same, and what takes too long for every change: about half an hour.
check-all: build
	@tools/check --all

# Watch a running system being updated; under three minutes.
demo: build
	@tools/demo

# Leave a machine and lud running to play with, and stop them.
up: build
	@tools/up
down:
	@tools/down

bench: build
	@tools/bench

# Long sweeps; their results are committed under tests/soak.
soak: build
	@tools/soak

# Take guards out, one at a time, and see a test fail; hours. An interrupted run goes on.
mutants: build
	@tests/mutants/run

# Everything that a host of machines needs, as packaging/installed.list says; DESTDIR puts it elsewhere.
install: build
	@meson install -C $(B) --no-rebuild --quiet

# Debian's package, in build/deb.
deb:
	@tools/deps deb
	@packaging/deb

format: deps
	@git ls-files '*.c' '*.h' | xargs clang-format-19 -i

lint: deps
	@tools/lint/run --review

clean:
	@rm -rf $(B) $(B)-gcc
