/*
 * Which errors each call answered with, and whether those are the documented ones: every error that
 * calls.def names must have been provoked by some test, and no other one may ever have been seen.
 */
#define KCALL_UNRECORDED
#include "osd/suites/kcall/kcall.h"

static const struct {
	uint32_t number;
	const char *name, *errors;
} calls[] = {
#define KCALL(number, name, kind, arguments, rights, results, errors, text) {number, #name, errors},
#include "osd/abi/calls.def"
#undef KCALL
};
#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static const struct {
	int value;
	const char *name;
} errors[] = {
#define ERR(name, value, class, by, sentence, remedy) {value, #name},
#include "proto/words/errors.def"
};
#define N_ERRORS (sizeof(errors) / sizeof(errors[0]))

/* A bit for each error in the record of a call. */
#define RECORD_BITS (8 * sizeof(record_errors[0]))
#define ERR(name, value, class, by, sentence, remedy)                                              \
	_Static_assert(-(value) < (int)RECORD_BITS, #name " has a bit");
#include "proto/words/errors.def"

/* Values behind errors are results: only small negative numbers count. */
static err_t record(uint64_t number, err_t result)
{
	uint64_t call = number - KCALL_BASE;

	_Static_assert(
	        3072 + N_CALLS * sizeof(record_errors[0]) <= PAGE_SIZE, "fits behind the puppets");
	if (call < N_CALLS && result < 0 && result > -(int)RECORD_BITS) {
		record_errors[call] |= (unsigned __int128)1 << -result;
	}
	return result;
}

err_t recorded_call_second(enum kcall number, const uint64_t a[6], uint64_t *ret_second)
{
	return record(number, sys_call_second(number, a, ret_second));
}

err_t recorded_call_first(enum kcall number, const uint64_t a[6])
{
	return record(number, sys_call_first(number, a));
}

err_t recorded_ipc(enum kcall number, endpoint_t to, struct message *msg)
{
	return record(number, sys_ipc(number, to, msg));
}

/* Is the word in the list of words? */
static bool list_has(const char *list, const char *word)
{
	while (*list) {
		size_t n = 0;

		while (word[n] && list[n] == word[n]) {
			n++;
		}
		if (!word[n] && (list[n] == ' ' || !list[n])) {
			return true;
		}
		while (*list && *list++ != ' ') {
		}
	}
	return false;
}

static void call_compare(unsigned int call, unsigned int error)
{
	bool seen = record_errors[call] >> -errors[error].value & 1;
	/* E_PERM is that of whoever has no right to the call, any. */
	bool named =
	        list_has(calls[call].errors, errors[error].name) || errors[error].value == E_PERM;

	if (seen != named) {
		bare_print("# %s %s %s", calls[call].name,
		        seen ? "answered, but does not name" : "names, but no test saw",
		        errors[error].name);
	}
	IS(named, seen);
}

static void test_record(void)
{
	if (bare_option("only", 0) != 0) {
		return;
	}
	for (unsigned int call = 0; call < N_CALLS; call++) {
		for (unsigned int error = 0; error < N_ERRORS; error++) {
			if (errors[error].value != E_NOSYS) {
				call_compare(call, error);
			}
		}
	}
}

const struct test tests_record[] = {
        {"the errors seen are those documented", test_record},
        {0},
};
