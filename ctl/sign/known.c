/*
 * The file of known machines. It is read and appended through one descriptor; lines are only
 * ever added, and synced before the answer. A damaged line that is met on the way makes the
 * answer KNOWN_BAD: it might have held the name, which another machine could then claim.
 */
#include "ctl/sign/known.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ctl/base/base.h"
#include "host/text/hex.h"

/* Longest line with its newline and NUL; a longer one is a damaged line. */
#define KNOWN_LINE_MAX 256
#define KNOWN_ID_HEX 32

static void known_closep(FILE **file)
{
	if (*file) {
		(void)fclose(*file);
	}
}

char *known_path(const char *keys)
{
	return ctl_format("%s/" KNOWN_MACHINES, keys);
}

/* "NAME HEX" of a line; false: it is neither that, nor empty or a comment. */
static bool known_line(char *line, const char **ret_name, const char **ret_hex)
{
	size_t len = strlen(line);
	char *blank = strchr(line, ' ');

	*ret_name = NULL;
	if (len == 0 || line[len - 1] != '\n') {
		return false;
	}
	line[len - 1] = '\0';
	if (line[0] == '\0' || line[0] == '#') {
		return true;
	}
	if (!blank || blank == line || strspn(blank + 1, "0123456789abcdef") != KNOWN_ID_HEX ||
	        blank[1 + KNOWN_ID_HEX] != '\0') {
		return false;
	}
	*blank = '\0';
	*ret_name = line;
	*ret_hex = blank + 1;
	return true;
}

/*
 * Look the name and the identity up. The whole file is read before KNOWN_NEW or KNOWN_NAMED is
 * answered: a later line may have the name, which decides first. *ret_line: the line that
 * decided; 0 when errno says why.
 */
static enum known known_find(FILE *file, const char *name, const char *hex, unsigned int *ret_line)
{
	char line[KNOWN_LINE_MAX];
	const char *its_name, *its_hex;
	unsigned int named = 0;

	for (*ret_line = 1; fgets(line, sizeof(line), file); ++*ret_line) {
		if (!known_line(line, &its_name, &its_hex)) {
			return KNOWN_BAD;
		}
		if (its_name && !strcmp(its_name, name)) {
			return strcmp(its_hex, hex) ? KNOWN_OTHER : KNOWN_SAME;
		}
		if (its_name && !strcmp(its_hex, hex)) {
			named = *ret_line;
		}
	}
	*ret_line = ferror(file) ? 0 : named;
	return ferror(file) ? KNOWN_BAD : named ? KNOWN_NAMED : KNOWN_NEW;
}

enum known known_check(
        const char *path, const char *name, const uint8_t machine_id[16], unsigned int *ret_line)
{
	_cleanup_(known_closep) FILE *file = NULL;
	char hex[KNOWN_ID_HEX + 1];
	enum known known;
	int fd;

	*ret_line = 0;
	/* A line is a name, a blank, an identity. */
	if (!*name || name[0] == '#' || strpbrk(name, " \n") ||
	        strlen(name) + KNOWN_ID_HEX + 3 > KNOWN_LINE_MAX) {
		errno = EINVAL;
		return KNOWN_BAD;
	}
	hex_write(machine_id, 16, hex);
	/*
	 * One descriptor for reading and appending. O_NOFOLLOW: whoever can write into the directory
	 * must not choose another file; O_NONBLOCK: nor a pipe that never answers.
	 */
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "a+");
	if (!file) {
		return KNOWN_BAD;
	}
	rewind(file);
	known = known_find(file, name, hex, ret_line);
	if (known == KNOWN_NEW &&
	        (fprintf(file, "%s %s\n", name, hex) < 0 || fflush(file) || fsync(fd))) {
		return KNOWN_BAD;
	}
	return known;
}
