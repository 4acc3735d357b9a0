#pragma once
/*
 * What luforge's fuzzers share. They link quiet.c in place of report.c: a message for every input
 * that is refused would take most of the time.
 */
#include <stddef.h>
#include <stdint.h>

#include "forge/base/mem.h"

/* Put the input into a file of this process, for parsers that read files; its path. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* A copy of exactly this size, so that ASan sees the first byte too far. */
struct buf fuzz_buf(const uint8_t *data, size_t size);

/* Read every byte; what a parser gave out must be there. */
void fuzz_touch(const void *bytes, size_t len);
void fuzz_touch_text(const char *text);
