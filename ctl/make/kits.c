/*
 * Kits that were made here. A number is used as soon as a directory has it, whether or not what is in
 * it can be read: SERVICE-7.kit without a manifest is a release 7 that somebody may have seen.
 */
#include "ctl/make/kits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/text/hex.h"

#define KITS_DEV ".dev.kit"

static void kits_closep(DIR **dir)
{
	if (*dir) {
		closedir(*dir);
	}
}

int kits_prepare(const char *into)
{
	_cleanup_(ctl_freep) char *path = ctl_format("%s/", into);

	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST) {
			return ctl_fail(CTL_FAILED, path, "name another directory with --into",
			        "cannot be made: %s", strerror(errno));
		}
		*at = '/';
	}
	return CTL_OK;
}

/* The number in SERVICE-N.kit, or with another end; 0: it is no such name. */
static uint32_t kits_number_before(const char *name, const char *service, const char *suffix)
{
	size_t len = strlen(service);
	unsigned long number;
	char *end;

	if (strncmp(name, service, len) || name[len] != '-' ||
	        !strchr("0123456789", name[len + 1])) {
		return 0;
	}
	number = strtoul(name + len + 1, &end, 10);
	return !strcmp(end, suffix) && number <= UINT32_MAX ? (uint32_t)number : 0;
}

static uint32_t kits_number_of_name(const char *name, const char *service)
{
	uint32_t number = kits_number_before(name, service, ".kit");

	return number ? number : kits_number_before(name, service, KITS_DEV);
}

/* The manifest of a kit of this service, which the caller frees; NULL: it is none. */
static struct kit_manifest *kits_manifest(const char *kit, const char *service)
{
	_cleanup_(ctl_freep) char *path = ctl_format("%s/" KIT_MANIFEST, kit);
	struct kit_manifest *manifest;
	uint8_t *bytes = NULL;
	struct kit_fault fault;
	size_t len;

	if (kit_file_read(path, sizeof(*manifest), &bytes, &len, &fault) < 0) {
		return NULL;
	}
	manifest = (struct kit_manifest *)bytes;
	if (len != sizeof(*manifest) || kit_manifest_check(manifest) != ENVELOPE_OK ||
	        strcmp(manifest->service, service) != 0) {
		free(bytes);
		return NULL;
	}
	return manifest;
}

int kits_highest(const char *into, const char *service, uint32_t *ret_number)
{
	_cleanup_(kits_closep) DIR *dir = opendir(into);
	uint32_t highest = 0;
	struct dirent *entry;

	if (!dir) {
		return ctl_fail(CTL_FAILED, into, "name another directory with --into",
		        "cannot be read: %s", strerror(errno));
	}
	while ((entry = readdir(dir))) {
		_cleanup_(ctl_freep) char *kit = ctl_format("%s/%s", into, entry->d_name);
		_cleanup_(ctl_freep) struct kit_manifest *manifest = kits_manifest(kit, service);
		uint32_t named = kits_number_of_name(entry->d_name, service);
		uint32_t number = manifest ? manifest->counter : 0;

		number = named > number ? named : number;
		highest = number > highest ? number : highest;
	}
	*ret_number = highest;
	return CTL_OK;
}

/* What a stopped run left under a name of ours goes; so does what a failure leaves half written. */
static void kits_remove(const char *path)
{
	_cleanup_(kits_closep) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	(void)rmdir(path);
}

/* lud's workers are other users where lud is root, and read the kit before it is stored. */
static int kits_open_up(const char *path)
{
	_cleanup_(kits_closep) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && fchmodat(dirfd(dir), entry->d_name, 0644, 0) < 0) {
			return -errno;
		}
	}
	return !dir || fchmod(dirfd(dir), 0755) < 0 ? -errno : 0;
}

int kits_write(const char *into, const struct kit_dir *kit, bool for_dev, char **ret_path)
{
	const struct kit_manifest *manifest = &kit->manifest;
	_cleanup_(ctl_freep) char *path = ctl_format("%s/%s-%u%s", into, manifest->service,
	        manifest->counter, for_dev ? KITS_DEV : ".kit");
	_cleanup_(ctl_freep) char *work = ctl_format(
	        "%s/.%s-%u.%ld", into, manifest->service, manifest->counter, (long)getpid());
	struct kit_fault fault;
	int r;

	kits_remove(work);
	r = kit_dir_write(kit, work, &fault);
	if (r < 0) {
		kits_remove(work);
		return ctl_fail(CTL_FAILED, fault.place,
		        "free some space, or name another directory "
		        "with --into",
		        "%s", fault.text);
	}
	r = kits_open_up(work);
	if (r == 0 && renameat2(AT_FDCWD, work, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		r = -errno;
	}
	if (r < 0) {
		kits_remove(work);
		return ctl_fail(CTL_FAILED, path, "ask again: the next number is free", "%s",
		        r == -EEXIST ? "somebody made a release of this number meanwhile"
		                     : strerror(-r));
	}
	*ret_path = path;
	path = NULL;
	return CTL_OK;
}

/* Numbers, the highest first. */
static int kits_by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x < y) - (x > y);
}

/* Numbers of the kits of `luctl dev`, the highest first; how many. What there is no room for is left to the next time. */
static size_t kits_of_dev(const char *into, const char *service, uint32_t *ret_numbers, size_t room)
{
	_cleanup_(kits_closep) DIR *dir = opendir(into);
	struct dirent *entry;
	size_t n = 0;

	while (dir && n < room && (entry = readdir(dir))) {
		ret_numbers[n] = kits_number_before(entry->d_name, service, KITS_DEV);
		n += ret_numbers[n] != 0;
	}
	qsort(ret_numbers, n, sizeof(*ret_numbers), kits_by_number);
	return n;
}

void kits_remove_old(const char *into, const char *service, kits_old_fn fn, void *arg)
{
	uint32_t numbers[256];
	size_t n = kits_of_dev(into, service, numbers, sizeof(numbers) / sizeof(numbers[0]));

	for (size_t i = KITS_DEV_KEPT; i < n; i++) {
		_cleanup_(ctl_freep) char *path =
		        ctl_format("%s/%s-%u" KITS_DEV, into, service, numbers[i]);
		_cleanup_(ctl_freep) struct kit_manifest *manifest = kits_manifest(path, service);
		char id[2 * 64 + 1];
		uint8_t hash[64];

		if (!manifest) {
			continue;
		}
		kit_manifest_release_id(manifest, hash);
		if (fn(hex_write(hash, sizeof(hash), id), arg)) {
			kits_remove(path);
		}
	}
}
