#pragma once
/*
 * What could come next on a command line, for the shells: by the rows of commands.def alone, except for names that only
 * lud knows, which whoever calls looks up.
 */
#include "ctl/cmdline/cmdline.h"

/* What a word is the name of. */
enum complete_kind {
	COMPLETE_NOTHING, /* the words are printed already, or nobody can say */
	COMPLETE_FILES,   /* of this host, which shells complete themselves */
	COMPLETE_MACHINES,
	COMPLETE_SERVICES,
	COMPLETE_RELEASES, /* of ->service */
	COMPLETE_JOBS,
	COMPLETE_HOSTS, /* of the hosts file */
	_COMPLETE_KIND_N,
};

/* The word that is to be completed, as far as the others say what it is. */
struct complete {
	enum complete_kind kind;
	const char *machine; /* that the command line names, or "" */
	const char *service; /* likewise */
	const char *socket;  /* NULL: the usual one */
	const char *host;    /* that the command line names, or "" */
};

/*
 * Print every command, option or fixed word that could stand where the last of the words does, a line each; else say in
 * *ret what kind of name it is. words: behind `luctl`, n at least 1, the last one as far as it is typed.
 */
void complete_words(const struct verb *verbs, size_t n_verbs, int n, char **words, FILE *to,
        struct complete *ret);
