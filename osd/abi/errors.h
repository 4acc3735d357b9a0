#pragma once
/* The error list as an enum; osd/lib/sys turns a value into its name and text. */

/* In front of a function whose error somebody has to look at. */
#define __must_check __attribute__((warn_unused_result))

enum {
	E_OK = 0,
#define ERR(name, value, class, by, sentence, remedy) name = value,
#include "proto/words/errors.def"
};
