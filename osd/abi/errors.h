#pragma once
/* The error list as an enum; osd/lib/sys turns a value into its name and text. */
enum {
	E_OK = 0,
#define ERR(name, value, text) name = value,
#include "errors.def"
#undef ERR
};
