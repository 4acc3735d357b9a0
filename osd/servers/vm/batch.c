/*
 * Operations on one space, collected and handed to the kernel many at a time (space_batch).
 *
 * The kernel takes frames for page tables from a stock that VM sends along. Nobody knows beforehand
 * how many an operation needs: the kernel stops with E_TABLES and says, VM adds to the stock, and
 * the rest is run again. The stock is kept between batches, so that most never stop.
 *
 * Tables that become empty leave their frames with the space; these come back with the batch. Those of
 * the spaces that the kernel made stay there: VM does not know where they came from.
 *
 * The first error ends the batch: later operations are passed over, and batch_end() returns it. What
 * was done before it stays done.
 */
#include "osd/servers/vm/priv.h"

#include <string.h>

#define BATCH_OPS 64u
/* One operation's page tables: 1 GiB of last-level tables and the few above them. */
#define BATCH_TABLES_MAX 640u
#define BATCH_TABLES_READY 16u
/* Longer operations are split. */
#define BATCH_OP_PAGES (UINT64_C(1) << 17)

/* The batch that is being collected; there is at most one, since nothing in VM waits meanwhile. */
static struct space *batch_space;
static struct space_op ops[BATCH_OPS];
static uint32_t n_ops;
static err_t batch_err;

/* The stock of frames for page tables; the kernel takes from the front. */
static paddr_t tables[BATCH_TABLES_MAX];
static uint32_t n_tables;

uint32_t batch_n_reserved(void)
{
	return n_tables;
}

/* Have at least n frames ready. */
static err_t batch_tables_fill(uint32_t n)
{
	if (n > BATCH_TABLES_MAX) {
		return E_NOMEM;
	}
	while (n_tables < n) {
		uint32_t got;
		paddr_t pa = frame_take(1, &got);

		if (pa == FRAME_PA_NONE) {
			return E_NOMEM;
		}
		tables[n_tables++] = pa;
	}
	return E_OK;
}

static void batch_tables_consume(uint32_t n)
{
	n_tables -= n;
	memmove(tables, tables + n, n_tables * sizeof(tables[0]));
	space_tables_add(batch_space, (int32_t)n);
}

/* Have back what the space's page tables no longer need. */
static void batch_tables_take_back(void)
{
	paddr_t frames[BATCH_TABLES_READY];
	uint64_t n;
	err_t err;

	do {
		n = 0;
		err = sys_space_trim(batch_space->id, frames, BATCH_TABLES_READY, &n);
		for (uint64_t i = 0; i < n; i++) {
			frame_give(frames[i], 1);
		}
		space_tables_add(batch_space, -(int32_t)n);
	} while (err == E_AGAIN);
}

/*
 * Run what is collected. The kernel stops at E_TABLES with some operations
 * done; the rest is run again.
 */
static void batch_flush(void)
{
	uint32_t done = 0, n_spare = 0;

	if (batch_err == E_OK) {
		/* What really lacks tables is told so by the kernel; taking away needs none. */
		(void)batch_tables_fill(BATCH_TABLES_READY);
	}
	while (batch_err == E_OK && done < n_ops) {
		struct space_batch batch = {.ops = ops + done,
		        .n_ops = n_ops - done,
		        .tables = tables,
		        .n_tables = n_tables};
		uint64_t needed = 0;
		err_t err = sys_space_batch(&batch, &needed);

		batch_tables_consume(batch.n_tables_used);
		done += batch.n_done;
		n_spare = batch.n_spare;
		batch_err = err;
		if (err == E_TABLES && needed > n_tables) {
			batch_err = batch_tables_fill(
			        needed < UINT32_MAX ? (uint32_t)needed : UINT32_MAX);
		}
	}
	n_ops = 0;
	if (n_spare > 0 && !batch_space->is_boot) {
		batch_tables_take_back();
	}
}

void batch_begin(struct space *space)
{
	batch_space = space;
	batch_err = E_OK;
	n_ops = 0;
}

void batch_add(enum space_op_kind kind, vaddr_t va, uint64_t arg, uint64_t n_pages, uint32_t prot)
{
	while (n_pages > 0 && batch_err == E_OK) {
		uint64_t n = n_pages < BATCH_OP_PAGES ? n_pages : BATCH_OP_PAGES;

		ops[n_ops++] = (struct space_op){.kind = kind,
		        .space = batch_space->id,
		        .va = va,
		        .arg = arg,
		        .n_pages = (uint32_t)n,
		        .prot = prot};
		if (n_ops == BATCH_OPS) {
			batch_flush();
		}
		va += n * PAGE_SIZE;
		arg += kind == SPACE_MAP ? n * PAGE_SIZE : 0;
		n_pages -= n;
	}
}

err_t batch_end(void)
{
	batch_flush();
	return batch_err;
}
