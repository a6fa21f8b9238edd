# Thin: every target calls a CMake preset or a script in tools/. Variables: PRESET, T (fuzz target).
PRESET ?= release

.PHONY: run test build bootstrap
build: bootstrap
	@cmake --preset $(PRESET) >/dev/null && cmake --build build/$(PRESET)
bootstrap:
	@tools/bootstrap.sh
test: build
	@ctest --test-dir build/$(PRESET) --output-on-failure -j2
