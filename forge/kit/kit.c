/*
 * A kit in memory. host/kit reads the directory once and judges it; from then on every name
 * and byte comes out of that memory, the linker's input too. A flat kit for another recipe is
 * refused, because the same seed would give another layout.
 */
#include "forge/kit/kit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "forge/base/report.h"
#include "host/text/hex.h"
#include "proto/image/link.h"

/* A signed root is a few KiB; its own format has the exact limit. */
#define KIT_ROOT_MAX 8192u

void kit_fini(struct kit *kit)
{
	kit_dir_fini(&kit->dir);
	free(kit->path);
	buf_fini(&kit->state);
	*kit = (struct kit){0};
}

/*
 * Report what host/kit found wrong, in one of our kinds: what is about the kit's bytes is a
 * refusal (-EINVAL), what is about the machine it runs on stays what it is.
 */
int kit_report(int r, const struct kit_fault *fault)
{
	(void)report_refuse(fault->place, "%s", fault->text);
	switch (-r) {
	case EBADMSG:
	case EKEYREJECTED:
	case EFBIG:
	case ELOOP:
	case EINVAL:
	case ENOENT:
		return -EINVAL;
	default:
		return r;
	}
}

int kit_parse_id(const char *where, const char *hex, uint8_t ret_id[TOOL_HASH_SIZE])
{
	if (!hex_read(hex, ret_id, TOOL_HASH_SIZE)) {
		return report_refuse(where, "'%.140s' is not 128 hexadecimal digits", hex);
	}
	return 0;
}

int kit_read_root(struct buf *ret_root, const char *path)
{
	struct kit_fault fault;
	uint8_t *bytes = NULL;
	size_t len;
	int r = kit_file_read(path, KIT_ROOT_MAX, &bytes, &len, &fault);

	if (r < 0) {
		return kit_report(r, &fault);
	}
	buf_fini(ret_root);
	buf_add(ret_root, bytes, len);
	free(bytes);
	return 0;
}

/*
 * Read and judge the directory. The time that a signature is judged by is this host's: an
 * expired release key signs no new variants, whatever the machine would say.
 */
static int kit_read_dir(struct kit *kit, const struct kit_signed_by *by)
{
	struct kit_demand demand = {.time = (uint64_t)time(NULL)};
	uint8_t release_id[TOOL_HASH_SIZE];
	struct kit_fault fault;
	int r = 0;

	if (by && by->release) {
		r = kit_parse_id(kit->path, by->release, release_id);
		demand.release_id = release_id;
	}
	if (r < 0) {
		return r;
	}
	if (by) {
		demand.root = by->root->bytes;
		demand.root_len = by->root->len;
	}
	r = kit_dir_read(&kit->dir, kit->path, by ? &demand : NULL, &fault);
	kit->manifest = &kit->dir.manifest;
	return r < 0 ? kit_report(r, &fault) : 0;
}

/* A file of the kit; kit_dir_read() has seen to it that these are there. */
static void kit_take(const struct kit *kit, const char *name, struct buf *ret_b)
{
	size_t len;
	const uint8_t *bytes = kit_dir_file(&kit->dir, name, &len);

	buf_add(ret_b, bytes, len);
}

int kit_read(struct kit *ret_kit, const char *path, const struct kit_signed_by *by)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {.path = mem_strdup(path)};
	int r = kit_read_dir(&kit, by);

	if (r == 0 && kit.dir.flat.header->recipe != LINK_RECIPE) {
		r = report_refuse(path,
		        "the kit was made for recipe %u of layouts, and this luforge "
		        "has %u; make the kit again",
		        kit.dir.flat.header->recipe, LINK_RECIPE);
	}
	if (r == 0) {
		kit.flat = kit.dir.flat;
		r = tool_hash(kit.manifest, sizeof(*kit.manifest), kit.release_id);
	}
	if (r == 0) {
		kit_take(&kit, "state", &kit.state);
	}
	if (r == 0) {
		*ret_kit = kit;
		ret_kit->manifest = &ret_kit->dir.manifest;
		kit = (struct kit){0};
	}
	return r;
}
