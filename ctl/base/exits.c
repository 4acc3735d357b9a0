/*
 * From what lud says to an exit code. What lud and machines can answer with is known by name (proto/words/errors.def,
 * and lud's own names), by class, or as the end of a job; all three are rows of proto/words/exits.def, and nothing here
 * knows one of them. A name decides before its class does, for lud gives several causes one class.
 *
 * A job is judged by its end. Only where nothing was begun does its cause decide: one with a row of its own, or an error
 * of a machine by which something is missing or not allowed. Other classes say nothing of how far a job came.
 */
#include "ctl/base/exits.h"

#include <string.h>

/* A row; code: an enum ctl_exit, or -1 for "none". */
struct exits_row {
	const char *name;
	int code;
};

/* Names that have a code of their own, whatever their class. */
static const struct exits_row exits_causes[] = {
#define EXIT_OF_CAUSE(name, EXIT) {name, CTL_##EXIT},
#include "proto/words/exits.def"
};

/* The code of every reason to refuse what was signed. */
enum {
#define EXIT_OF_REASON(EXIT) EXITS_REASON = CTL_##EXIT,
#include "proto/words/exits.def"
};

static enum ctl_exit exits_of_class(Wire__ErrorClass class)
{
	switch (class) {
#define EXIT_OF_CLASS(CLASS, EXIT)                                                                 \
	case WIRE__ERROR_CLASS__ERROR_##CLASS:                                                     \
		return CTL_##EXIT;
#include "proto/words/exits.def"
	case _WIRE__ERROR_CLASS_IS_INT_SIZE:
		break;
	}
	return CTL_FAILED;
}

/* The code that a name has by a row of its own, or as a reason, which has two names; -1: none. */
static int exits_of_name(const char *name)
{
	static const struct exits_row reasons[] = {
#define REASON(constant, word, name, value, class, by, sentence, remedy, signing)                  \
	{word, EXITS_REASON}, {#name, EXITS_REASON},
#include "proto/words/errors.def"
	};

	for (size_t i = 0; i < sizeof(exits_causes) / sizeof(exits_causes[0]); i++) {
		if (!strcmp(name, exits_causes[i].name)) {
			return exits_causes[i].code;
		}
	}
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (!strcmp(name, reasons[i].name)) {
			return reasons[i].code;
		}
	}
	return -1;
}

/* The same of an error of a machine by its class, which a cause does not say; -1: it is none. */
static int exits_of_known(const char *name)
{
	static const struct {
		const char *name;
		Wire__ErrorClass class;
	} errors[] = {
#define ERR(name, value, class, by, sentence, remedy) {#name, WIRE__ERROR_CLASS__ERROR_##class},
#include "proto/words/errors.def"
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (!strcmp(name, errors[i].name)) {
			return exits_of_class(errors[i].class);
		}
	}
	return -1;
}

enum ctl_exit exits_of_error(const Wire__Error *error)
{
	int code = error->cause ? exits_of_name(error->cause->name) : -1;

	return code < 0 ? exits_of_class(error->class_) : (enum ctl_exit)code;
}

static enum ctl_exit exits_of_state(Control__JobState state)
{
	switch (state) {
#define EXIT_OF_STATE(STATE, EXIT)                                                                 \
	case CONTROL__JOB_STATE__JOB_STATE_##STATE:                                                \
		return CTL_##EXIT;
#include "proto/words/exits.def"
	case _CONTROL__JOB_STATE_IS_INT_SIZE:
		break;
	}
	return CTL_INCONSISTENT;
}

enum ctl_exit exits_of_job(const Control__Job *job)
{
	enum ctl_exit code = exits_of_state(job->state);
	int cause;

	if (!job->cause || (code != CTL_FAILED && code != CTL_HELD)) {
		return code;
	}
	cause = exits_of_name(job->cause->name);
	if (cause >= 0) {
		return (enum ctl_exit)cause;
	}
	cause = exits_of_known(job->cause->name);
	return cause == CTL_NOT_FOUND || cause == CTL_TRUST ? (enum ctl_exit)cause : code;
}
