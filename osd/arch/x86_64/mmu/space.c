/*
 * User address spaces. Every operation has two halves: a check that walks the range and counts the
 * tables it would need, and a commit that cannot fail. Both go table by table and run over the 512
 * entries of one without walking again: a batched page costs a few instructions.
 *
 * Levels: 3 is the root, 0 holds pages. A directory entry (level 1) may be a mirror: the table it
 * names belongs to another space (PTE_MIRROR; the table's frame counts it), or is the shared table
 * of zero frames (PTE_ZERO_TABLE). Both are never written through, except that filling absent pages
 * with the zero frame may fill a mirrored table.
 */
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/frame.h"
#include "osd/arch/x86_64/mmu/kmap.h"
#include "osd/arch/x86_64/mmu/pte.h"
#include "osd/arch/x86_64/x86.h"

extern char gate_page[], zero_page[];

#define TABLE_BITS (PTE_P | PTE_W | PTE_U)
#define N_PAGES_MAX (1u << 20)
#define CHUNK_BYTES (ARCH_MIRROR_PAGES * PAGE_SIZE)
#define INVALIDATE_MAX 32u

static uint64_t zero_table[512] __attribute__((aligned(PAGE_SIZE)));

/* The part of a range that lies in one last-level table. */
struct chunk {
	vaddr_t va;
	uint32_t first, n; /* entries */
};

#define CHUNKS_EACH(chunk, start, n_pages)                                                         \
	for (struct chunk chunk = chunk_first(start, n_pages); chunk.n != 0;                       \
	        chunk_next(&chunk, start, n_pages))

static inline struct chunk chunk_at(vaddr_t va, vaddr_t end)
{
	struct chunk c = {va, pte_index(va, 0), 0};
	uint64_t n_left = (end - va) / PAGE_SIZE;

	c.n = n_left < 512 - c.first ? (uint32_t)n_left : 512 - c.first;
	return c;
}

static inline struct chunk chunk_first(vaddr_t va, uint32_t n_pages)
{
	return chunk_at(va, va + n_pages * PAGE_SIZE);
}

static inline void chunk_next(struct chunk *chunk, vaddr_t va, uint32_t n_pages)
{
	*chunk = chunk_at(chunk->va + chunk->n * PAGE_SIZE, va + n_pages * PAGE_SIZE);
}

static paddr_t image_pa(const void *symbol)
{
	return (paddr_t)symbol - KERNEL_BASE;
}

static inline uint64_t zero_entry(void)
{
	return image_pa(zero_page) | PTE_P | PTE_U | PTE_NX;
}

static bool range_is_valid(vaddr_t va, uint32_t n_pages)
{
	return va % PAGE_SIZE == 0 && n_pages != 0 && n_pages <= N_PAGES_MAX &&
	       va < ARCH_USER_END && n_pages * PAGE_SIZE <= ARCH_USER_END - va;
}

/*
 * The directory entry for va, or NULL with the level of the missing table
 * (2: root entry is empty, 1).
 */
static uint64_t *directory_entry(const struct arch_space *space, vaddr_t va, uint32_t *ret_missing)
{
	uint64_t *table = pte_table(space->root);

	for (uint32_t level = 3; level > 1; level--) {
		uint64_t entry = table[pte_index(va, level)];
		if (!(entry & PTE_P)) {
			*ret_missing = level - 1;
			return NULL;
		}
		table = pte_table(entry);
	}
	return &table[pte_index(va, 1)];
}

/* Counts the tables that a range needs: each missing one once, chunk by chunk upwards. */
struct need {
	uint32_t n;
	vaddr_t last; /* chunk counted before; valid when n is not 0 */
};

/* Count the directory tables missing above the chunk at va. */
static void need_directories(struct need *need, const struct arch_space *space, vaddr_t va)
{
	uint32_t missing = 0;

	if (directory_entry(space, va, &missing) == NULL) {
		bool is_first = need->n == 0;

		for (uint32_t level = missing; level > 0; level--) {
			uint32_t shift = 12 + 9 * (level + 1);
			need->n += is_first || need->last >> shift != va >> shift;
		}
	}
	need->last = va;
}

/* Count those and the last-level table, unless the space has one of its own there. */
static void need_tables(struct need *need, const struct arch_space *space, vaddr_t va)
{
	uint32_t missing;
	uint64_t *entry = directory_entry(space, va, &missing);

	if (entry == NULL || !(*entry & PTE_P) || *entry & PTE_ZERO_TABLE) {
		need_directories(need, space, va);
		need->n++;
	}
}

static err_t tables_check(struct arch_tables *tables, uint32_t n_needed)
{
	if (n_needed > tables->n - tables->used) {
		tables->needed = n_needed;
		return E_TABLES;
	}
	for (uint32_t i = 0; i < n_needed; i++) {
		paddr_t pa = tables->frames[tables->used + i];
		if (pa % PAGE_SIZE != 0 || frame_use(pa) != FRAME_USER) {
			return E_PERM;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (tables->frames[tables->used + j] == pa) {
				return E_PERM;
			}
		}
	}
	return E_OK;
}

static uint64_t table_take(struct arch_tables *tables)
{
	paddr_t pa;

	if (tables->used == tables->n) {
		panic("page tables were counted wrong");
	}
	pa = tables->frames[tables->used++];
	frame_use_set(pa, FRAME_TABLE);
	__builtin_memset(arch_frame_ptr(pa), 0, PAGE_SIZE);
	return pa | TABLE_BITS;
}

/* The directory entry for va, making the tables above it. */
static uint64_t *directory_make(struct arch_space *space, vaddr_t va, struct arch_tables *tables)
{
	uint64_t *table = arch_frame_ptr(space->root);

	for (uint32_t level = 3; level > 1; level--) {
		uint64_t *entry = &table[pte_index(va, level)];
		if (!(*entry & PTE_P)) {
			*entry = table_take(tables);
		}
		table = pte_table(*entry);
	}
	return &table[pte_index(va, 1)];
}

/* A last-level table of the space's own for va; where the shared zero table was, its zeros stay. */
static uint64_t *table_make(struct arch_space *space, vaddr_t va, struct arch_tables *tables)
{
	uint64_t *entry = directory_make(space, va, tables);
	bool was_zero = *entry & PTE_ZERO_TABLE;

	if (!(*entry & PTE_P) || was_zero) {
		*entry = table_take(tables);
		if (was_zero) {
			__builtin_memcpy(pte_table(*entry), zero_table, PAGE_SIZE);
		}
	}
	return pte_table(*entry);
}

/* The last-level table for va; NULL: absent. */
static uint64_t *table_find(const struct arch_space *space, vaddr_t va, uint64_t *ret_entry)
{
	uint32_t missing;
	uint64_t *entry = directory_entry(space, va, &missing);

	if (entry == NULL || !(*entry & PTE_P)) {
		return NULL;
	}
	*ret_entry = *entry;
	return pte_table(*entry);
}

static void tlb_flush(const struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	if (arch_cpu_this()->root != space->root) {
		return;
	}
	if (n_pages > INVALIDATE_MAX) {
		cr3_write(space->root);
		return;
	}
	for (uint32_t i = 0; i < n_pages; i++) {
		invlpg(va + i * PAGE_SIZE);
	}
}

/*
 * Entry bits for each protection, 0 where there is none: write-only and
 * execute-only do not exist.
 */
static const uint64_t prot_entries[8] = {
        [PROT_R] = PTE_P | PTE_U | PTE_NX,
        [PROT_R | PROT_W] = PTE_P | PTE_U | PTE_W | PTE_NX,
        [PROT_R | PROT_X] = PTE_P | PTE_U,
};

static uint64_t prot_bits(uint32_t prot)
{
	uint64_t bits = prot_entries[prot & (PROT_R | PROT_W | PROT_X)];

	return prot & SPACE_OP_DEVICE ? bits | PTE_DEVICE | PTE_PCD | PTE_PWT : bits;
}

static bool prot_is_valid(uint32_t prot)
{
	return !(prot & ~(PROT_R | PROT_W | PROT_X | SPACE_OP_ZERO | SPACE_OP_DEVICE)) &&
	       prot_entries[prot & (PROT_R | PROT_W | PROT_X)] != 0;
}

err_t arch_space_init(struct arch_space *space, paddr_t root)
{
	if (root % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	if (frame_use(root) != FRAME_USER) {
		return E_PERM;
	}
	frame_use_set(root, FRAME_TABLE);
	__builtin_memset(arch_frame_ptr(root), 0, PAGE_SIZE / 2);
	__builtin_memcpy((char *)arch_frame_ptr(root) + PAGE_SIZE / 2,
	        (char *)arch_frame_ptr(kmap_root) + PAGE_SIZE / 2, PAGE_SIZE / 2);
	space->root = root;
	return E_OK;
}

static err_t frames_check(const struct arch_map *map)
{
	uint32_t use = map->prot & SPACE_OP_DEVICE ? FRAME_NONE : FRAME_USER;

	if (map->pa % PAGE_SIZE != 0 || map->pa > PTE_FRAME ||
	        map->pa + map->n_pages * PAGE_SIZE > PTE_FRAME) {
		return E_INVAL;
	}
	for (uint32_t i = 0; i < map->n_pages; i++) {
		if (frame_use(map->pa + i * PAGE_SIZE) != use) {
			return E_PERM;
		}
	}
	return E_OK;
}

/* Nothing but zero frames may be in the way. */
static bool entries_are_free(const uint64_t *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (entries[i] != 0 && (entries[i] & ~0x60ull) != zero_entry()) {
			return false;
		}
	}
	return true;
}

static void entries_fill(uint64_t *entries, uint32_t n, uint64_t first)
{
	for (uint32_t i = 0; i < n; i++) {
		entries[i] = first + i * PAGE_SIZE;
	}
}

static err_t chunk_check_free(const struct arch_space *space, const struct chunk *chunk)
{
	uint64_t entry = 0;
	const uint64_t *table = table_find(space, chunk->va, &entry);

	if (table == NULL || entry & PTE_ZERO_TABLE) {
		return E_OK;
	}
	if (entry & PTE_MIRROR) {
		return E_BUSY;
	}
	return entries_are_free(table + chunk->first, chunk->n) ? E_OK : E_BUSY;
}

/* Map checked frames, table by table, making the tables that are missing. */
static err_t map_chunks(
        struct arch_space *space, const struct arch_map *map, struct arch_tables *tables)
{
	uint64_t next = map->pa | prot_bits(map->prot);
	struct need need = {0};
	err_t err;

	CHUNKS_EACH(chunk, map->va, map->n_pages)
	{
		err = chunk_check_free(space, &chunk);
		if (err != E_OK) {
			return err;
		}
		need_tables(&need, space, chunk.va);
	}
	err = tables_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, map->va, map->n_pages)
	{
		entries_fill(table_make(space, chunk.va, tables) + chunk.first, chunk.n, next);
		next += chunk.n * PAGE_SIZE;
	}
	return E_OK;
}

/* The place of the range when it lies in one last-level table that is there and the space's own. */
static inline uint64_t *range_in_own_table(const struct arch_space *space, vaddr_t va, uint32_t n)
{
	const uint64_t *entry;
	uint32_t missing;

	if (pte_index(va, 0) + n > 512) {
		return NULL;
	}
	entry = directory_entry(space, va, &missing);
	if (entry == NULL || (*entry & (PTE_P | PTE_MIRROR | PTE_ZERO_TABLE)) != PTE_P) {
		return NULL;
	}
	return pte_table(*entry) + pte_index(va, 0);
}

static err_t map_check(const struct arch_map *map)
{
	if (!range_is_valid(map->va, map->n_pages) || !prot_is_valid(map->prot)) {
		return E_INVAL;
	}
	return frames_check(map);
}

/* Most maps go into a table that exists: those take one walk. */
err_t arch_space_map(
        struct arch_space *space, const struct arch_map *map, struct arch_tables *tables)
{
	uint64_t *entries;
	err_t err = map_check(map);

	if (err != E_OK) {
		return err;
	}
	entries = range_in_own_table(space, map->va, map->n_pages);
	if (entries == NULL) {
		err = map_chunks(space, map, tables);
	} else if (entries_are_free(entries, map->n_pages)) {
		entries_fill(entries, map->n_pages, map->pa | prot_bits(map->prot));
	} else {
		err = E_BUSY;
	}
	if (err != E_OK) {
		return err;
	}
	if (map->prot & SPACE_OP_ZERO && !(map->prot & SPACE_OP_DEVICE)) {
		__builtin_memset(arch_frame_ptr(map->pa), 0, map->n_pages * PAGE_SIZE);
	}
	/* A zero frame may have been there before. */
	tlb_flush(space, map->va, map->n_pages);
	return E_OK;
}

/* What owns its last-level tables (or has none) throughout the range? */
static err_t own_check(const struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	uint64_t entry = 0;

	if (!range_is_valid(va, n_pages)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		if (table_find(space, chunk.va, &entry) != NULL && entry & PTE_MIRROR) {
			return E_BUSY;
		}
	}
	return E_OK;
}

err_t arch_space_unmap(struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	err_t err = own_check(space, va, n_pages);
	uint32_t missing;

	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		uint64_t *entry = directory_entry(space, chunk.va, &missing);
		if (entry == NULL || !(*entry & PTE_P)) {
			continue;
		}
		if (*entry & PTE_ZERO_TABLE) {
			/* Pages around the chunk become absent too: demand-zero either way. */
			*entry = 0;
			tlb_flush(space, chunk.va & ~(CHUNK_BYTES - 1), ARCH_MIRROR_PAGES);
			continue;
		}
		__builtin_memset(pte_table(*entry) + chunk.first, 0, chunk.n * sizeof(uint64_t));
	}
	tlb_flush(space, va, n_pages);
	return E_OK;
}

/*
 * May the protection of these entries change? Of user frames only: the gate page, writable, would
 * let one process rewrite everybody's way into the kernel. Zero frames stay what they are.
 */
static bool entries_may_change(const uint64_t *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		paddr_t pa = entries[i] & PTE_FRAME;

		if (entries[i] & PTE_P && pa != image_pa(zero_page) &&
		        (entries[i] & PTE_DEVICE || frame_use(pa) != FRAME_USER)) {
			return false;
		}
	}
	return true;
}

static err_t protect_check(
        const struct arch_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	err_t err = own_check(space, va, n_pages);
	uint64_t entry = 0;

	if (err != E_OK) {
		return err;
	}
	if (!prot_is_valid(prot) || prot & (SPACE_OP_ZERO | SPACE_OP_DEVICE)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		const uint64_t *table = table_find(space, chunk.va, &entry);

		if (table != NULL && !entries_may_change(table + chunk.first, chunk.n)) {
			return E_PERM;
		}
	}
	return E_OK;
}

err_t arch_space_protect(struct arch_space *space, vaddr_t va, uint32_t n_pages, uint32_t prot)
{
	const uint64_t bits = prot_bits(prot), mask = PTE_W | PTE_NX;
	err_t err = protect_check(space, va, n_pages, prot);
	uint64_t entry = 0;

	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		uint64_t *table = table_find(space, chunk.va, &entry);
		if (table == NULL || entry & PTE_ZERO_TABLE) {
			continue;
		}
		table += chunk.first;
		for (uint32_t i = 0; i < chunk.n; i++) {
			if (table[i] & PTE_P && (table[i] & PTE_FRAME) != image_pa(zero_page)) {
				table[i] = (table[i] & ~mask) | (bits & mask);
			}
		}
	}
	tlb_flush(space, va, n_pages);
	return E_OK;
}

static bool mirror_range_is_valid(vaddr_t va, uint32_t n_pages)
{
	return range_is_valid(va, n_pages) && va % CHUNK_BYTES == 0 &&
	       n_pages % ARCH_MIRROR_PAGES == 0;
}

/* May the chunk of source at va be shown in space? */
static err_t mirror_chunk_check(const struct arch_space *space, const struct arch_space *source,
        vaddr_t va, struct need *need)
{
	uint64_t theirs = 0, ours = 0;

	if (table_find(source, va, &theirs) == NULL) {
		return E_OK;
	}
	if (theirs & PTE_MIRROR || frame_use(theirs & PTE_FRAME) == UINT16_MAX) {
		return E_BUSY;
	}
	if (table_find(space, va, &ours) != NULL && !(ours & PTE_ZERO_TABLE)) {
		return E_BUSY;
	}
	need_directories(need, space, va);
	return E_OK;
}

static void mirror_chunk(struct arch_space *space, const struct arch_space *source, vaddr_t va,
        struct arch_tables *tables)
{
	uint64_t theirs = 0;

	if (table_find(source, va, &theirs) == NULL) {
		return;
	}
	if (theirs & PTE_ZERO_TABLE) {
		*directory_make(space, va, tables) = theirs;
		return;
	}
	frame_use_set(theirs & PTE_FRAME, frame_use(theirs & PTE_FRAME) + 1);
	*directory_make(space, va, tables) = (theirs & ~PTE_W) | PTE_NX | PTE_MIRROR;
}

err_t arch_space_mirror(struct arch_space *space, struct arch_space *source, vaddr_t va,
        uint32_t n_pages, struct arch_tables *tables)
{
	struct need need = {0};
	err_t err;

	if (!mirror_range_is_valid(va, n_pages) || space == source) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		err = mirror_chunk_check(space, source, chunk.va, &need);
		if (err != E_OK) {
			return err;
		}
	}
	err = tables_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		mirror_chunk(space, source, chunk.va, tables);
	}
	tlb_flush(space, va, n_pages);
	return E_OK;
}

/* Take a mirror entry away; its table has one sharer less. */
static void mirror_release(uint64_t *entry)
{
	paddr_t table = *entry & PTE_FRAME;

	frame_use_set(table, frame_use(table) - 1);
	*entry = 0;
}

err_t arch_space_unmirror(struct arch_space *space, vaddr_t va, uint32_t n_pages)
{
	uint32_t missing;

	if (!mirror_range_is_valid(va, n_pages)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		uint64_t *entry = directory_entry(space, chunk.va, &missing);
		if (entry == NULL || !(*entry & PTE_P)) {
			continue;
		}
		if (*entry & PTE_MIRROR) {
			mirror_release(entry);
		} else if (*entry & PTE_ZERO_TABLE) {
			*entry = 0;
		}
	}
	tlb_flush(space, va, n_pages);
	return E_OK;
}

/* A whole chunk without a table can take the shared zero table. */
static bool takes_zero_table(const struct arch_space *space, const struct chunk *chunk)
{
	uint64_t entry;

	return chunk->n == ARCH_MIRROR_PAGES && table_find(space, chunk->va, &entry) == NULL;
}

static void zero_chunk(
        struct arch_space *space, const struct chunk *chunk, struct arch_tables *tables)
{
	uint64_t entry = 0;
	uint64_t *table;

	if (takes_zero_table(space, chunk)) {
		*directory_make(space, chunk->va, tables) =
		        image_pa(zero_table) | PTE_P | PTE_U | PTE_NX | PTE_ZERO_TABLE;
		return;
	}
	table = table_find(space, chunk->va, &entry);
	if (table == NULL) {
		table = table_make(space, chunk->va, tables);
	} else if (entry & PTE_ZERO_TABLE) {
		return;
	}
	table += chunk->first;
	for (uint32_t i = 0; i < chunk->n; i++) {
		table[i] = table[i] == 0 ? zero_entry() : table[i];
	}
}

err_t arch_space_zero_absent(
        struct arch_space *space, vaddr_t va, uint32_t n_pages, struct arch_tables *tables)
{
	struct need need = {0};
	uint64_t entry;
	err_t err;

	if (!range_is_valid(va, n_pages)) {
		return E_INVAL;
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		if (takes_zero_table(space, &chunk)) {
			need_directories(&need, space, chunk.va);
		} else if (table_find(space, chunk.va, &entry) == NULL) {
			need_tables(&need, space, chunk.va);
		}
	}
	err = tables_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	if (zero_table[0] == 0) {
		for (uint32_t i = 0; i < 512; i++) {
			zero_table[i] = zero_entry();
		}
	}
	CHUNKS_EACH(chunk, va, n_pages)
	{
		zero_chunk(space, &chunk, tables);
	}
	return E_OK;
}

err_t arch_space_gate(struct arch_space *space, vaddr_t va, struct arch_tables *tables)
{
	struct chunk chunk = chunk_first(va, 1);
	struct need need = {0};
	err_t err;

	if (!range_is_valid(va, 1)) {
		return E_INVAL;
	}
	err = chunk_check_free(space, &chunk);
	if (err != E_OK) {
		return err;
	}
	need_tables(&need, space, va);
	err = tables_check(tables, need.n);
	if (err != E_OK) {
		return err;
	}
	table_make(space, va, tables)[chunk.first] = image_pa(gate_page) | PTE_P | PTE_U;
	tlb_flush(space, va, 1);
	return E_OK;
}

/* Is a last-level table of the space shared with a mirror elsewhere? */
static bool directory_is_shared(const uint64_t *directory)
{
	for (uint32_t i = 0; i < 512; i++) {
		uint64_t entry = directory[i];
		if (entry & PTE_P && !(entry & (PTE_MIRROR | PTE_ZERO_TABLE)) &&
		        frame_use(entry & PTE_FRAME) != FRAME_TABLE) {
			return true;
		}
	}
	return false;
}

struct reclaim {
	paddr_t *frames;
	uint32_t n, max;
};

/* Give one table frame back; false: no room left. */
static bool reclaim_frame(struct reclaim *reclaim, paddr_t pa)
{
	if (reclaim->n == reclaim->max) {
		return false;
	}
	frame_use_set(pa, FRAME_USER);
	reclaim->frames[reclaim->n++] = pa;
	return true;
}

/* Give back all tables below the entry at this level, and the entry's own. */
static bool reclaim_entry(struct reclaim *reclaim, uint64_t *entry, uint32_t level)
{
	uint64_t *table = pte_table(*entry);

	if (!(*entry & PTE_P)) {
		return true;
	}
	if (level == 1 && *entry & PTE_MIRROR) {
		mirror_release(entry);
		return true;
	}
	if (level == 1 && *entry & PTE_ZERO_TABLE) {
		*entry = 0;
		return true;
	}
	for (uint32_t i = 0; level > 1 && i < 512; i++) {
		if (!reclaim_entry(reclaim, &table[i], level - 1)) {
			return false;
		}
	}
	if (!reclaim_frame(reclaim, *entry & PTE_FRAME)) {
		return false;
	}
	*entry = 0;
	return true;
}

static bool space_is_shared(const struct arch_space *space)
{
	const uint64_t *root = arch_frame_ptr(space->root);

	for (uint32_t i = 0; i < 256; i++) {
		const uint64_t *middle = pte_table(root[i]);
		for (uint32_t j = 0; root[i] & PTE_P && j < 512; j++) {
			if (middle[j] & PTE_P && directory_is_shared(pte_table(middle[j]))) {
				return true;
			}
		}
	}
	return false;
}

err_t arch_space_fini(struct arch_space *space, paddr_t *frames, uint32_t max, uint32_t *ret_n)
{
	struct reclaim reclaim = {frames, 0, max};
	uint64_t *root = arch_frame_ptr(space->root);
	bool is_done = true;

	if (space_is_shared(space)) {
		return E_BUSY;
	}
	for (uint32_t i = 0; is_done && i < 256; i++) {
		is_done = reclaim_entry(&reclaim, &root[i], 3);
	}
	is_done = is_done && reclaim_frame(&reclaim, space->root);
	*ret_n = reclaim.n;
	return is_done ? E_OK : E_AGAIN;
}

void *arch_space_ptr(const struct arch_space *space, vaddr_t va, uint32_t access)
{
	uint64_t entry = 0, page;
	const uint64_t *table;

	if (va >= ARCH_USER_END) {
		return NULL;
	}
	table = table_find(space, va, &entry);
	if (table == NULL) {
		return NULL;
	}
	page = table[pte_index(va, 0)];
	if (!(page & PTE_P) || page & PTE_DEVICE) {
		return NULL;
	}
	if (access & ARCH_ACCESS_WRITE) {
		if (!(entry & PTE_W) || frame_use(page & PTE_FRAME) != FRAME_USER ||
		        (!(page & PTE_W) && !(access & ARCH_ACCESS_FORCE))) {
			return NULL;
		}
	}
	return (char *)arch_frame_ptr(page & PTE_FRAME) + va % PAGE_SIZE;
}
