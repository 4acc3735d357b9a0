/*
 * What was signed begins with what was signed before: the root, and of a variant the kit. It is kept once, as the head of
 * all that begin so, and of each only the rest.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/priv.h"

struct head_found {
	int64_t id;
	uint8_t *bytes;
	size_t size;
};

static int head_row(sqlite3_stmt *row, void *arg)
{
	struct head_found *ret = arg;

	ret->id = sqlite3_column_int64(row, 0);
	ret->bytes = db_column_blob_new(row, 1, &ret->size);
	return 0;
}

int store_head_find(struct db *db, const struct store_bytes *envelope, struct store_head *ret,
        const char *newest, int64_t key)
{
	struct head_found head = {0};
	const uint8_t *bytes = envelope->bytes;
	int r = db_query(db, head_row, &head, newest, "i", key);
	_cleanup_(freep) uint8_t *owned = head.bytes;
	size_t len = 0;

	if (r) {
		return err_up(r);
	}
	while (len < head.size && len < envelope->size && owned[len] == bytes[len]) {
		len++;
	}
	if (len < envelope->size / 2) {
		return DB_E_NONE;
	}
	*ret = (struct store_head){head.id, len};
	return 0;
}
