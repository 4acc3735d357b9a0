/*
 * Names and texts of errors, for logs and results; made from errors.def. Two rows of one value do
 * not compile.
 */
#include "osd/lib/sys/sys.h"

const char *sys_error_name(err_t err)
{
	switch (err) {
#define ERR(name, value, text)                                                                     \
	case value:                                                                                \
		return #name;
#include "osd/abi/errors.def"
#undef ERR
	}
	return err < 0 ? "E_UNKNOWN" : "E_OK";
}

const char *sys_error_text(err_t err)
{
	switch (err) {
#define ERR(name, value, text)                                                                     \
	case value:                                                                                \
		return text;
#include "osd/abi/errors.def"
#undef ERR
	}
	return err < 0 ? "an error without a name" : "no error";
}
