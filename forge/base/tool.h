#pragma once
/*
 * Running the LLVM tools, and the digest used everywhere. Tools are named by
 * absolute path at configure time; the environment is not consulted.
 */
#include <stddef.h>
#include <stdint.h>

#define TOOL_HASH_SIZE 64u

extern const char tool_llc[], tool_lld[], tool_objcopy[];

/* Run argv[0] to its end. What it prints on stderr is shown when it fails. */
int tool_run(const char *const argv[]);

/* BLAKE2b-512. Return 0, or report and return negative when OpenSSL fails. */
int tool_hash(const void *bytes, size_t len, uint8_t ret_hash[TOOL_HASH_SIZE]);
