# A thin front: every target installs and builds what it needs first.
B := build
CC_HOST := clang-19

.PHONY: all deps build quick check test bench demo up down soak format lint clean

all: build

deps:
	@tools/deps

$(B)/build.ninja: | deps
	@CC=$(CC_HOST) AR=llvm-ar-19 meson setup $(B) >$(B).setup.log 2>&1 || \
		{ tail -n 30 $(B).setup.log; exit 1; }
	@mv $(B).setup.log $(B)/setup.log

build: $(B)/build.ninja
	@ninja -C $(B)

quick: $(B)/build.ninja
	@ninja --quiet -C $(B)
	@meson test -C $(B) --no-rebuild --suite unit --print-errorlogs

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-19 -i

clean:
	@rm -rf $(B)
