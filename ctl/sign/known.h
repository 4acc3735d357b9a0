#pragma once
/*
 * Machines that this keyring's control key was used for: a name and an identity a line, in the file
 * known_machines beside the keys. Which machine a name stands for is lud's word the first time, and
 * held against this file from then on. One identity has one name: else a name that was never used
 * could be said to stand for any machine.
 */
#include <stdint.h>

#define KNOWN_MACHINES "known_machines"

enum known {
	KNOWN_SAME,
	KNOWN_NEW,   /* it is written down now */
	KNOWN_OTHER, /* the name stands for another machine: *ret_line says where */
	KNOWN_NAMED, /* the machine has another name already: *ret_line says where */
	KNOWN_BAD,   /* the file cannot be read or written, or is damaged in *ret_line; 0: errno */
	_KNOWN_N,
};

/* The file, in a keyring's directory. The caller frees. */
char *known_path(const char *keys);
enum known known_check(const char *path, const char *name, const uint8_t machine_id[16],
        unsigned int *ret_line) __attribute__((warn_unused_result));
