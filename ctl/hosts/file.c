/*
 * The two files: where they are, who may write them, and how the person's is written. Whoever can write one can have luctl
 * trust another CA, so a file that others may write is refused. One that luctl writes is written whole: a crash leaves the old
 * or the new one, and what stood in it beside the values, comments for instance, is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/base/base.h"
#include "ctl/hosts/priv.h"
#include "host/base/file.h"

/* Of all who work on this host. */
#define HOSTS_SYSTEM_FILE "/etc/samsara/hosts.yaml"

char *hosts_own_file(void)
{
	const char *named = getenv("SAMSARA_HOSTS");
	const char *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (named && *named) {
		return ctl_format("%s", named);
	}
	if (xdg && *xdg) {
		return ctl_format("%s/samsara/hosts.yaml", xdg);
	}
	return ctl_format("%s/.config/samsara/hosts.yaml", home ? home : "/nowhere");
}

/* CTL_OK: nobody else may write it, or it is not there; CTL_TRUST, told. */
static int hosts_check_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		return CTL_OK;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		return ctl_fail(CTL_TRUST, path,
		        "make it yours or root's, and `chmod go-w` it, after a look at what it "
		        "says",
		        "others may write the hosts file, and so say whom to trust");
	}
	return CTL_OK;
}

/* A file that is not there says nothing. */
static int hosts_read_one(struct hosts *hosts, const char *path)
{
	uint8_t *bytes;
	size_t size;
	int code = hosts_check_mode(path);
	int r = code == CTL_OK ? file_read(path, HOSTS_FILE_BYTES, &bytes, &size) : -ECANCELED;

	if (code != CTL_OK || r == -ENOENT || r == -ENOTDIR) {
		return code;
	}
	if (r < 0) {
		return ctl_fail(CTL_FAILED, path,
		        "a regular file of at most 64 KiB that you may read, and no link",
		        "the hosts file cannot be read: %s", strerror(-r));
	}
	code = hosts_parse(hosts, path, bytes, size);
	free(bytes);
	return code;
}

/* Others are none of what is written back. */
int hosts_read_own(struct hosts *hosts)
{
	_cleanup_(ctl_freep) char *own = hosts_own_file();

	return hosts_read_one(hosts, own);
}

/* A default that names nobody would make the next command ask elsewhere. */
static int hosts_check_chosen(const struct hosts *hosts)
{
	_cleanup_(ctl_freep) char *place = NULL;

	if (!hosts->chosen || !strcmp(hosts->chosen, HOSTS_LOCAL) ||
	        hosts_find(hosts, hosts->chosen)) {
		return CTL_OK;
	}
	place = ctl_format("%s:%zu", hosts->chosen_file, hosts->chosen_line);
	return ctl_fail(CTL_FAILED, place,
	        "name one of `hosts`, or `local`; or `luctl host use local`",
	        "default: there is no host `%s`", hosts->chosen);
}

int hosts_read_both(struct hosts *hosts)
{
	const char *named = getenv("SAMSARA_HOSTS");
	int code = hosts_read_own(hosts);

	/* Who names a file means that one alone. */
	if (code == CTL_OK && !(named && *named)) {
		code = hosts_read_one(hosts, HOSTS_SYSTEM_FILE);
	}
	return code;
}

int hosts_read(struct hosts *hosts)
{
	int code = hosts_read_both(hosts);

	return code == CTL_OK ? hosts_check_chosen(hosts) : code;
}

/* In single quotes nothing has a meaning but the quote. */
static void hosts_print_value(FILE *to, const char *key, const char *value)
{
	fprintf(to, "%s: '", key);
	for (; *value; value++) {
		fputs(*value == '\'' ? "''" : (char[]){*value, '\0'}, to);
	}
	fputs("'\n", to);
}

/* All values are quoted, so that none is taken for anything but a text. */
char *hosts_print(const struct hosts *hosts)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to) {
		abort();
	}
	fputs("# Written by `luctl host`; see samsara-hosts(5).\n", to);
	if (hosts->chosen) {
		hosts_print_value(to, "default", hosts->chosen);
	}
	fputs(hosts->n_entries ? "hosts:\n" : "hosts: {}\n", to);
	for (size_t i = 0; i < hosts->n_entries; i++) {
		fprintf(to, "  '%s':\n", hosts->entries[i].name);
		for (size_t k = 0; k < _HOSTS_KEY_N; k++) {
			fputs("    ", to);
			hosts_print_value(
			        to, hosts_key_name((enum hosts_key)k), hosts->entries[i].values[k]);
		}
	}
	if (fclose(to) != 0) {
		abort();
	}
	return text;
}

/* Its directory is made where it is missing. */
int hosts_write_own(const struct hosts *hosts)
{
	_cleanup_(ctl_freep) char *path = hosts_own_file();
	_cleanup_(ctl_freep) char *copy = ctl_format("%s", path);
	_cleanup_(ctl_freep) char *text = hosts_print(hosts);
	int r = dir_make(dirname(copy));

	r = r < 0 ? r : file_write(path, text, strlen(text));
	if (r < 0) {
		return ctl_fail(CTL_FAILED, path,
		        "make its directory writable, or name another file in SAMSARA_HOSTS",
		        "the hosts file cannot be written: %s", strerror(-r));
	}
	return CTL_OK;
}
