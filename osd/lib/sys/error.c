/*
 * Names and texts of errors, for logs and results; made from proto/words/errors.def. Two rows of one value do
 * not compile.
 */
#include "osd/lib/sys/sys.h"

const char *sys_error_name(err_t err)
{
	switch (err) {
#define ERR(name, value, class, by, sentence, remedy)                                              \
	case value:                                                                                \
		return #name;
#include "proto/words/errors.def"
	}
	return err < 0 ? "E_UNKNOWN" : "E_OK";
}

const char *sys_error_text(err_t err)
{
	switch (err) {
#define ERR(name, value, class, by, sentence, remedy)                                              \
	case value:                                                                                \
		return sentence;
#include "proto/words/errors.def"
	}
	return err < 0 ? "an error without a name" : "no error";
}
