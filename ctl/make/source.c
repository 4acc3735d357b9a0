/*
 * A source state as a text that names it: the commit, and the hash of each file that differs from it,
 * so that two trees have the same text only if they have the same files. git is asked for names only;
 * the files are read here. What git ignores is no source.
 *
 * The whole tree counts, not what the service is built from: which files these are only the compiler
 * knows, and a release that is called clean has to be that for whoever checks the commit out.
 */
#include "ctl/make/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/make/run.h"
#include "host/kit/renew.h"
#include "host/text/hex.h"
#include "proto/envelope/envelope_crypto.h"

#define SOURCE_FILE_MAX (64u << 20)
#define SOURCE_NAMED_MAX 100u
#define SOURCE_FIRST_MAX 5u
#define SOURCE_REMEDY                                                                              \
	"make releases from a git checkout, or say with --source what the tree is, such as the "   \
	"name and hash of an archive"

/* While the text grows. */
struct source_writer {
	FILE *out; /* lines of files, kept back until all are known */
	FILE *first;
	const char *top; /* of the checkout */
	size_t n;
};

void source_finip(struct source *source)
{
	free(source->text);
	free(source->is);
	free(source->first);
}

static FILE *source_stream(char **text, size_t *size)
{
	FILE *stream = open_memstream(text, size);

	if (!stream) {
		abort();
	}
	return stream;
}

/* 128 digits of what lies there, or a word for what has no bytes. */
static void source_hash(const char *path, char ret_text[129])
{
	_cleanup_(ctl_freep) uint8_t *bytes = NULL;
	struct kit_fault fault;
	uint8_t hash[64];
	char link[4096];
	struct stat st;
	ssize_t n;
	size_t len;

	if (lstat(path, &st) < 0) {
		strcpy(ret_text, errno == ENOENT ? "gone" : "unreadable");
		return;
	}
	if (S_ISLNK(st.st_mode) && (n = readlink(path, link, sizeof(link))) > 0) {
		envelope_hash(link, (size_t)n, hash);
	} else if (kit_file_read(path, SOURCE_FILE_MAX, &bytes, &len, &fault) == 0) {
		envelope_hash(bytes, len, hash);
	} else {
		strcpy(ret_text, S_ISDIR(st.st_mode) ? "directory" : "unreadable");
		return;
	}
	hex_write(hash, sizeof(hash), ret_text);
}

/* One file that differs. A name with a line feed in it would be two lines: it is written as `?`. */
static void source_changed(struct source_writer *writer, const char *name)
{
	_cleanup_(ctl_freep) char *path = ctl_format("%s/%s", writer->top, name);
	_cleanup_(ctl_freep) char *line = ctl_format("%s", name);
	char hash[129];

	source_hash(path, hash);
	for (char *at = line; *at; at++) {
		*at = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
	}
	fprintf(writer->out, "changed %s %s\n", hash, line);
	if (writer->n < SOURCE_FIRST_MAX) {
		fprintf(writer->first, "%s%s", writer->n ? ", " : "", line);
	}
	writer->n++;
}

/*
 * Where the name stands in an entry of `git status --porcelain=v2`: behind so many blanks, by its
 * kind. NULL: an entry of no file.
 */
static const char *source_entry_name(const char *entry)
{
	size_t blanks = entry[0] == '1'   ? 8
	                : entry[0] == '2' ? 9
	                : entry[0] == 'u' ? 10
	                : entry[0] == '?' ? 1
	                                  : 0;

	for (; blanks > 0 && entry; blanks--) {
		entry = strchr(entry, ' ');
		entry = entry ? entry + 1 : NULL;
	}
	return entry && entry[0] != '#' ? entry : NULL;
}

/* The entries of a status, NULs between them. A file that was renamed has a second one, its old name. */
static void source_entries(
        struct source_writer *writer, const struct run *status, const char **ret_commit)
{
	static const char oid[] = "# branch.oid ";
	bool renamed = false;

	for (size_t at = 0; at < status->len; at += strlen(status->out + at) + 1) {
		const char *entry = status->out + at;
		const char *name = renamed ? entry : source_entry_name(entry);

		if (!strncmp(entry, oid, strlen(oid)) && !renamed) {
			*ret_commit = entry + strlen(oid);
		} else if (name && *entry != '#') {
			source_changed(writer, name);
		}
		renamed = !renamed && entry[0] == '2';
	}
}

/* Runs git in the tree; what it says of a tree that is none is its own best reason. */
static int source_git(const char *tree, const char *const *argv, struct run *ret_run)
{
	int code = run_program(argv, tree, false, ret_run);

	if (code != CTL_OK || ret_run->status == 0) {
		return code;
	}
	ret_run->errors[strcspn(ret_run->errors, "\n")] = '\0';
	return ctl_fail(CTL_FAILED, tree, SOURCE_REMEDY,
	        "git does not say what its sources are: %s", ret_run->errors);
}

/*
 * The text of all that was found. Of very many files the first are named, and the hash of all lines
 * stands for the rest.
 */
static void source_text(struct source *source, const char *commit, const char *files)
{
	size_t room = KIT_SOURCE_MAX - 1024, len = strlen(files), kept = len;
	uint8_t hash[64];
	size_t size;
	FILE *out = source_stream(&source->text, &size);

	fprintf(out, KIT_SOURCE_HEAD KIT_SOURCE_IS "%s\ncommit %s\n", source->is, commit);
	if (len > room) {
		for (kept = room; kept > 0 && files[kept - 1] != '\n'; kept--) {
		}
	}
	fwrite(files, 1, kept, out);
	if (kept < len) {
		envelope_hash(files, len, hash);
		fputs("all ", out);
		for (size_t i = 0; i < sizeof(hash); i++) {
			fprintf(out, "%02x", hash[i]);
		}
		fputs("\n", out);
	}
	fclose(out);
}

/* What git says. */
static int source_ask(const char *tree, struct source *source)
{
	static const char *const status[] = {"git", "--no-optional-locks", "status",
	        "--porcelain=v2", "--branch", "-z", "--untracked-files=all",
	        "--ignore-submodules=none", NULL};
	static const char *const top[] = {"git", "rev-parse", "--show-toplevel", NULL};
	_cleanup_(run_finip) struct run said = {0};
	_cleanup_(run_finip) struct run place = {0};
	_cleanup_(ctl_freep) char *files = NULL;
	struct source_writer writer = {0};
	const char *commit = "";
	size_t sizes[2];
	int code = source_git(tree, status, &said);

	if (code == CTL_OK) {
		code = source_git(tree, top, &place);
	}
	if (code != CTL_OK) {
		return code;
	}
	place.out[strcspn(place.out, "\n")] = '\0';
	writer.top = place.out;
	writer.out = source_stream(&files, &sizes[0]);
	writer.first = source_stream(&source->first, &sizes[1]);
	source_entries(&writer, &said, &commit);
	fclose(writer.out);
	fclose(writer.first);
	if (strspn(commit, "0123456789abcdef") < 40) {
		return ctl_fail(CTL_FAILED, tree, "commit something first",
		        "the checkout has no commit yet");
	}
	source->n_changed = writer.n;
	source->is = writer.n == 0 ? ctl_format("commit %.12s", commit)
	                           : ctl_format("commit %.12s, %zu file%s changed", commit,
	                                     writer.n, writer.n == 1 ? "" : "s");
	source_text(source, commit, files);
	return CTL_OK;
}

int source_read(const char *tree, const char *named, struct source *ret_source)
{
	if (!named) {
		return source_ask(tree, ret_source);
	}
	if (!*named || strlen(named) > SOURCE_NAMED_MAX || strpbrk(named, "\n\r\t")) {
		return ctl_fail(CTL_USAGE, "--source", NULL,
		        "say in 1 to %u bytes of one line what the tree is", SOURCE_NAMED_MAX);
	}
	ret_source->is = ctl_format("%s", named);
	ret_source->first = ctl_format("%s", "");
	ret_source->text = ctl_format(KIT_SOURCE_HEAD KIT_SOURCE_IS "%s\n", named);
	return CTL_OK;
}
