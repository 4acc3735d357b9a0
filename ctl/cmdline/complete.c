/*
 * Completion of command lines. The scripts of the three shells (ctl/cmd/completion.c) hand the words over and take lines
 * back; all knowledge is here, and here it is that of commands.def: which commands there are, which options each takes
 * and which of them have a value, and by its name in the usage what an argument is. Nothing is offered that the parser
 * would reject; nothing is known of a command that is not in its row.
 */
#include "ctl/cmdline/complete.h"

#include <string.h>

#define COMPLETE_WORD_SIZE 64u

/* What the name of an argument in the usage stands for; options have the same by their own names. */
static const struct {
	const char *name;
	enum complete_kind kind;
} complete_names[] = {
        {"SERVICE", COMPLETE_SERVICES},
        {"JOB", COMPLETE_JOBS},
        {"R", COMPLETE_RELEASES},
        {"FROM", COMPLETE_RELEASES},
        {"TO", COMPLETE_RELEASES},
        {"KIT", COMPLETE_FILES},
        {"FILE", COMPLETE_FILES},
        {"FILE|DIR", COMPLETE_FILES},
        {"release", COMPLETE_RELEASES},
        {"machine", COMPLETE_MACHINES},
        {"service", COMPLETE_SERVICES},
        {"socket", COMPLETE_FILES},
        {"host", COMPLETE_HOSTS},
        {"NAME|local", COMPLETE_HOSTS},
        {"crl", COMPLETE_FILES},
        {"certificate", COMPLETE_FILES},
        {"key", COMPLETE_FILES},
        {"build", COMPLETE_FILES},
        {"into", COMPLETE_FILES},
        {"keys", COMPLETE_FILES},
        {"REQUEST", COMPLETE_FILES},
        {"ca", COMPLETE_FILES},
        {"dir", COMPLETE_FILES},
        {"out", COMPLETE_FILES},
        {"previous", COMPLETE_FILES},
        {"file", COMPLETE_FILES},
        {"attach", COMPLETE_FILES},
};

/* Options with a few fixed values, and the arguments of `completion`. */
static const struct {
	const char *name;
	const char *words;
} complete_fixed[] = {
        {"color", "auto always never"},
        {"layout", "machine host"},
        {"override", "window hold block"},
        {"bash|zsh|fish", "bash zsh fish"},
};

static enum complete_kind complete_kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof(complete_names) / sizeof(complete_names[0]); i++) {
		if (!strcmp(complete_names[i].name, name)) {
			return complete_names[i].kind;
		}
	}
	return COMPLETE_NOTHING;
}

static void complete_put(FILE *to, const char *word, const char *typed)
{
	if (!strncmp(word, typed, strlen(typed))) {
		fprintf(to, "%s\n", word);
	}
}

/* Each word of a list with spaces between, which stands behind a prefix. */
static void complete_put_list(FILE *to, const char *prefix, const char *list, const char *typed)
{
	char word[COMPLETE_WORD_SIZE];

	for (; *list; list += strspn(list, " ")) {
		size_t len = strcspn(list, " ");

		snprintf(word, sizeof(word), "%s%.*s", prefix, (int)len, list);
		complete_put(to, word, typed);
		list += len;
	}
}

/* A name that is fixed, or the kind of one that is not. */
static enum complete_kind complete_name(FILE *to, const char *name, const char *typed)
{
	for (size_t i = 0; i < sizeof(complete_fixed) / sizeof(complete_fixed[0]); i++) {
		if (!strcmp(complete_fixed[i].name, name)) {
			complete_put_list(to, "", complete_fixed[i].words, typed);
			return COMPLETE_NOTHING;
		}
	}
	return complete_kind_of(name);
}

/* Commands that begin with the words before, each by its next word; once, where several share it. */
static void complete_verbs(const struct verb *verbs, size_t n_verbs, int n, char **words, FILE *to)
{
	char last[COMPLETE_WORD_SIZE] = "", word[COMPLETE_WORD_SIZE];

	for (size_t i = 0; i < n_verbs; i++) {
		const char *space = strchr(verbs[i].name, ' ');
		size_t first = space ? (size_t)(space - verbs[i].name) : strlen(verbs[i].name);

		if (n == 1) {
			snprintf(word, sizeof(word), "%.*s", (int)first, verbs[i].name);
		} else if (n == 2 && space && strlen(words[0]) == first &&
		           !strncmp(words[0], verbs[i].name, first)) {
			snprintf(word, sizeof(word), "%s", space + 1);
		} else {
			continue;
		}
		if (strcmp(word, last) != 0) {
			complete_put(to, word, words[n - 1]);
		}
		memcpy(last, word, sizeof(last));
	}
}

/*
 * The name that the n-th argument (from 0) has in the usage, brackets left out: the last one counts for all behind it
 * where it has dots. "" where there is none. What stands behind a bar by itself is another way to call the command.
 */
static void complete_argument(const struct verb *verb, int n, char ret_name[COMPLETE_WORD_SIZE])
{
	const char *at = verb->args;

	*ret_name = '\0';
	for (int i = 0; *at && *at != '|'; i++) {
		size_t skip = strspn(at, " ["), len = strcspn(at + skip, " ].");
		bool is_many = !strncmp(at + skip + len, "...", 3);

		if (i == n || is_many) {
			snprintf(ret_name, COMPLETE_WORD_SIZE, "%.*s", (int)len, at + skip);
			return;
		}
		at += skip + len;
		at += strspn(at, "]. ");
	}
}

/* Options and arguments of the command that stand before the word. */
struct complete_seen {
	int n_args;
	const char *option; /* the option whose value the word is; NULL: none */
};

/* The name of the option that a word is, by its long form or -m; NULL: it is none. */
static const char *complete_option(const char *word)
{
	if (!strcmp(word, "-m")) {
		return "machine";
	}
	return word[0] == '-' && word[1] == '-' && word[2] ? word + 2 : NULL;
}

static struct complete_seen complete_look(int n, char **words, struct complete *ret)
{
	struct complete_seen seen = {0};

	for (int i = 0; i + 1 < n; i++) {
		const char *option = complete_option(words[i]);

		if (!option || strchr(option, '=') || !cmdline_has_value(option)) {
			seen.n_args += words[i][0] != '-';
			if (seen.n_args == 1 && words[i][0] != '-') {
				ret->service = words[i];
			}
			continue;
		}
		if (i + 2 == n) {
			seen.option = option;
			break;
		}
		if (!strcmp(option, "machine")) {
			ret->machine = words[i + 1];
		} else if (!strcmp(option, "socket")) {
			ret->socket = words[i + 1];
		} else if (!strcmp(option, "host")) {
			ret->host = words[i + 1];
		}
		i++;
	}
	return seen;
}

void complete_words(const struct verb *verbs, size_t n_verbs, int n, char **words, FILE *to,
        struct complete *ret)
{
	static char name[COMPLETE_WORD_SIZE];
	const char *host = "", *typed;
	struct complete_seen seen;
	const struct verb *verb;
	int used = 0;

	/* `luctl --host NAME COMMAND`: what follows is as without the two. */
	if (n > 2 && !strcmp(words[0], "--host")) {
		host = words[1];
		words += 2;
		n -= 2;
	} else if (n == 2 && !strcmp(words[0], "--host")) {
		*ret = (struct complete){COMPLETE_HOSTS, "", "", NULL, ""};
		return;
	}
	typed = words[n - 1];

	*ret = (struct complete){COMPLETE_NOTHING, "", "", NULL, host};
	/* argv[0] is luctl itself; the word that is being typed may still become another command. */
	verb = n > 1 ? cmdline_find(verbs, n_verbs, n, words - 1, &used) : NULL;
	complete_verbs(verbs, n_verbs, n, words, to);
	if (!verb) {
		return;
	}
	seen = complete_look(n - used, words + used, ret);
	if (seen.option) {
		ret->kind = complete_name(to, seen.option, typed);
		return;
	}
	if (*typed == '-') {
		complete_put_list(to, "--", "help json color", typed);
		complete_put_list(to, "--", verb->options, typed);
		return;
	}
	complete_argument(verb, seen.n_args, name);
	if (!strcmp(name, "NAME") && !strncmp(verb->name, "machine ", 8)) {
		ret->kind = COMPLETE_MACHINES;
	} else if (!strcmp(name, "NAME") && !strcmp(verb->name, "host remove")) {
		ret->kind = COMPLETE_HOSTS;
	} else if (*name) {
		ret->kind = complete_name(to, name, typed);
	}
}
