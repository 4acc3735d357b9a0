/*
 * luforge import: a signed kit into a store of releases, as `NAME-ID.kit`. The bytes that
 * were judged are written, then judged again where they lie, then given their name; a kit
 * that is there already and whole stays as it is. With --into the new copy goes to another
 * directory, for one who may not write to the store and leaves that to another.
 *
 * Whatever ends it, under that name there is a whole signed kit or what was there before. The
 * path printed is the only output: who called goes on with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/base/report.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/kit/kit.h"

#define IMPORT_ID_BYTES 16u /* of the release id, in a name */

/*
 * What is imported, and where to. Zeroed it is empty; import_fini() takes it in any state and
 * removes the temporary directory with all that was not renamed out of it.
 */
struct import {
	struct buf root;
	struct kit kit;
	char release[2 * TOOL_HASH_SIZE + 1];
	const char *into; /* or NULL: the store */
	char *path;       /* in the store; owned */
	char *placed;     /* where it was put, when not there; owned */
	char *work;       /* temporary directory; owned */
};

static void import_fini(struct import *im)
{
	buf_fini(&im->root);
	kit_fini(&im->kit);
	free(im->path);
	free(im->placed);
	if (im->work) {
		mem_remove_dir(im->work);
		free(im->work);
	}
}

/*
 * 16 bytes of the release id in the name: for people and against mistakes; the kit itself is
 * checked by all 64.
 */
static void import_name(struct import *im, const char *store)
{
	uint8_t id[TOOL_HASH_SIZE];
	size_t i;

	kit_manifest_release_id(im->kit.manifest, id);
	for (i = 0; i < sizeof(id); i++) {
		(void)snprintf(im->release + 2 * i, 3, "%02x", id[i]);
	}
	im->path = mem_printf("%s/%s-%.*s.kit", store, im->kit.manifest->service,
	        (int)(2 * IMPORT_ID_BYTES), im->release);
}

/*
 * Is this release, whole and signed, at the path? By the same demand as the source, and by
 * its full id.
 */
static int import_check(const struct import *im, const char *path)
{
	const struct kit_signed_by by = {.root = &im->root, .release = im->release};
	MEM_CLEANUP(kit_fini) struct kit copy = {0};

	return kit_read(&copy, path, &by);
}

/*
 * What is there is kept when it is whole, else exchanged in one step: there is never no kit
 * under the name. copy then holds the damaged one, and is removed.
 */
static int import_again(struct import *im, const char *copy)
{
	if (import_check(im, im->path) == 0) {
		mem_remove_dir(copy);
		return 0;
	}
	report_warn(im->path, "the copy in the store is damaged; it is replaced by a whole one");
	if (renameat2(AT_FDCWD, copy, AT_FDCWD, im->path, RENAME_EXCHANGE) < 0) {
		return report_errno(im->path, errno, "cannot replace the damaged copy");
	}
	mem_remove_dir(copy);
	return 0;
}

/*
 * Beside the store, unless what is there is whole. NOREPLACE: a name that is taken is an
 * error, not a merge.
 */
static int import_place_into(struct import *im, const char *copy)
{
	struct stat st;

	if (lstat(im->path, &st) == 0) {
		if (import_check(im, im->path) == 0) {
			mem_remove_dir(copy);
			return 0;
		}
		report_warn(im->path, "the copy in the store is damaged; here is a whole one");
	}
	im->placed = mem_printf("%s/%s", im->into, strrchr(im->path, '/') + 1);
	return renameat2(AT_FDCWD, copy, AT_FDCWD, im->placed, RENAME_NOREPLACE) == 0
	               ? 0
	               : report_errno(im->placed, errno, "cannot rename into place");
}

/* The temporary directory must be on the store's file system, or it could not be renamed. */
static int import_place(struct import *im, const char *copy)
{
	if (im->into) {
		return import_place_into(im, copy);
	}
	if (renameat2(AT_FDCWD, copy, AT_FDCWD, im->path, RENAME_NOREPLACE) == 0) {
		return 0;
	}
	return errno == EEXIST ? import_again(im, copy)
	                       : report_errno(im->path, errno,
	                                 "cannot rename into place (TMPDIR must be on the same "
	                                 "file system)");
}

/*
 * Read and judge, write, judge the copy, place it, print its path. The copy is judged again,
 * because what later readers get is what the disk has, not what was in memory. Negative errno,
 * reported.
 */
static int import_run(struct import *im, const char *root, const char *store, const char *kit)
{
	const struct kit_signed_by by = {.root = &im->root};
	MEM_FREE char *copy = NULL;
	struct kit_fault fault;
	int r = kit_read_root(&im->root, root);

	if (r == 0) {
		r = kit_read(&im->kit, kit, &by);
	}
	if (r == 0) {
		r = mem_temp_dir(&im->work);
	}
	if (r < 0) {
		return r;
	}
	import_name(im, store);
	copy = mem_printf("%s/kit", im->work);
	r = kit_dir_write(&im->kit.dir, copy, &fault);
	if (r < 0) {
		return kit_report(r, &fault);
	}
	r = import_check(im, copy);
	if (r == 0) {
		r = import_place(im, copy);
	}
	if (r == 0) {
		printf("%s\n", im->placed ? im->placed : im->path);
	}
	return r;
}

int cmd_import(int argc, char **argv)
{
	const char *root = NULL, *store = NULL, *into = NULL;
	const struct args_option options[] = {
	        {"root", "file (root.signed)", &root, NULL},
	        {"store", "directory", &store, NULL},
	        {"into", "directory", &into, NULL},
	        {0},
	};
	MEM_CLEANUP(import_fini) struct import im = {0};
	int n_operands, r;

	r = args_parse(argc, argv, options, &n_operands);
	if (r != 0) {
		return r;
	}
	if (!root || !store || n_operands != 1) {
		return args_wrong("import needs --root, --store and one kit");
	}
	im.into = into;
	return import_run(&im, root, store, argv[1]);
}
