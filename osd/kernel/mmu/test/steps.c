/*
 * The operations of the model: each predicts from the arrays what the real one will answer, makes it,
 * and does the same to the arrays.
 */
#include "osd/kernel/mmu/test/model.h"

#include <assert.h>
#include <string.h>

#include "osd/kernel/mmu/test/priv.h"

#define POOL_MAX 4u

/* What a step is about. */
struct step {
	struct model *m;
	uint32_t table, first, n; /* pages of one table */
	vaddr_t va;
	uint8_t a, b, c; /* to choose by */
	paddr_t frames[POOL_MAX];
	struct mmu_tables pool;
};

/* Some frames for tables; now and then one that is none. */
static void step_pool_fill(struct step *s)
{
	uint32_t n = s->b % (POOL_MAX + 1);

	s->pool = (struct mmu_tables){.frames = s->frames, .n = n};
	for (uint32_t i = 0; i < n; i++) {
		s->frames[i] = model_frame_free(
		        s->c * 7u + (i > 0 ? (uint32_t)(s->frames[i - 1] / PAGE_SIZE) : 0));
		for (uint32_t j = 0; j < i; j++) {
			if (s->frames[j] == s->frames[i]) {
				s->pool.n = n = i;
			}
		}
	}
	if (s->a % 16 == 0 && n > 0) {
		const paddr_t bad[] = {s->frames[0] + 8, PAGE_SIZE, s->m->real.arch.root,
		        s->frames[n > 1 ? 0 : n - 1] + (n > 1 ? 0 : 1), 1ull << 45,
		        N_KERNEL * PAGE_SIZE + s->c % N_DATA * PAGE_SIZE};

		s->frames[n - 1] = bad[s->a / 16 % 6];
	}
}

/* Frames that it takes to turn the step's table into `kind`. */
static uint32_t step_need(const struct step *s, enum kind kind)
{
	uint32_t need, n_spare = s->m->real.n_spare;
	enum kind after[N_MODEL_TABLES_MAX];

	memcpy(after, s->m->kind, sizeof(after));
	after[s->table] = kind;
	need = model_tables(after) - model_tables(s->m->kind);
	return need > n_spare ? need - n_spare : 0;
}

/* What becomes of such an operation, so far as tables go. */
static err_t step_tables(const struct step *s, enum kind kind)
{
	uint32_t need = step_need(s, kind);

	if (need > s->pool.n) {
		return E_TABLES;
	}
	for (uint32_t i = 0; i < need; i++) {
		if (s->frames[i] % PAGE_SIZE != 0 || frame_use(s->frames[i]) != FRAME_USER) {
			return E_PERM;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (s->frames[j] == s->frames[i]) {
				return E_PERM;
			}
		}
	}
	return E_OK;
}

/* The operation answered so; what it took of the pool is the space's. */
static void step_answer(struct step *s, err_t want, err_t got)
{
	assert(want == got);
	assert(got == E_OK || s->pool.used == 0);
	s->m->n_given += s->pool.used;
}

static void model_become_own(struct model *m, uint32_t table)
{
	if (m->kind[table] == KIND_ZERO) {
		for (uint32_t i = 0; i < PTE_N; i++) {
			m->pages[table][i] = model_page(m, table, i);
		}
	}
	m->kind[table] = KIND_OWN;
}

static bool model_prot_is_valid(uint32_t prot)
{
	return prot == PROT_R || prot == (PROT_R | PROT_W) || prot == (PROT_R | PROT_X);
}

/* What a map should answer, tables aside. */
static err_t model_map_check(const struct step *s, const struct space_op *op)
{
	const bool is_device = op->prot & SPACE_OP_DEVICE;

	if (!model_prot_is_valid(op->prot & ~(SPACE_OP_ZERO | SPACE_OP_DEVICE)) ||
	        op->arg % PAGE_SIZE != 0) {
		return E_INVAL;
	}
	for (uint32_t i = 0; i < s->n; i++) {
		if (frame_use(op->arg + i * PAGE_SIZE) != (is_device ? FRAME_NONE : FRAME_USER)) {
			return E_PERM;
		}
	}
	for (uint32_t i = 0; i < s->n; i++) {
		struct page page = model_page(s->m, s->table, s->first + i);

		if (s->m->kind[s->table] == KIND_MIRROR || (page.pa != 0 && !page.is_zero)) {
			return E_BUSY;
		}
	}
	return E_OK;
}

static void step_map(struct step *s)
{
	static const uint32_t prots[] = {PROT_R, PROT_R | PROT_W, PROT_R | PROT_X,
	        PROT_R | PROT_W | SPACE_OP_ZERO, PROT_W, PROT_W | PROT_X, 0,
	        PROT_R | PROT_W | PROT_X, PROT_R | SPACE_OP_DEVICE, PROT_R | 0x1000};
	static const paddr_t bases[] = {0, PAGE_SIZE + 4, 1ull << 40, ~0ull << 12};
	struct space_op op = {.va = s->va,
	        .n_pages = s->n,
	        .prot = prots[s->a % (s->c & 1 ? 3 : 10)],
	        .arg = (N_KERNEL + s->b % N_DATA) * PAGE_SIZE};
	err_t want;

	if (s->c % 32 == 0) {
		op.arg = bases[s->c / 32 % 3];
	}
	op.arg = op.prot & SPACE_OP_DEVICE ? 1ull << 40 : op.arg;
	want = model_map_check(s, &op);
	assert(mmu_map_check(&s->m->real, &op) == want);
	want = want == E_OK ? step_tables(s, KIND_OWN) : want;
	for (uint32_t i = 0; want == E_OK && i < step_need(s, KIND_OWN); i++) {
		want = s->frames[i] - op.arg < s->n * PAGE_SIZE ? E_PERM : E_OK;
	}
	step_answer(s, want, mmu_map(&s->m->real, &op, &s->pool));
	if (want != E_OK) {
		return;
	}
	model_become_own(s->m, s->table);
	for (uint32_t i = 0; i < s->n; i++) {
		s->m->pages[s->table][s->first + i] = (struct page){.pa = op.arg + i * PAGE_SIZE,
		        .prot = op.prot & (PROT_R | PROT_W | PROT_X),
		        .is_device = op.prot & SPACE_OP_DEVICE};
	}
}

static void step_unmap(struct step *s)
{
	struct model *m = s->m;
	err_t want = m->kind[s->table] == KIND_MIRROR ? E_BUSY : E_OK;
	bool is_empty = true;

	assert(mmu_unmap_check(&m->real, s->va) == want);
	step_answer(s, want, mmu_unmap(&m->real, s->va, s->n));
	if (want != E_OK || m->kind[s->table] == KIND_NONE) {
		return;
	}
	for (uint32_t i = 0; i < PTE_N; i++) {
		if (i - s->first < s->n) {
			m->pages[s->table][i] = (struct page){0};
		}
		is_empty &= m->pages[s->table][i].pa == 0;
	}
	if (m->kind[s->table] == KIND_ZERO || (is_empty && m->n_sharers[s->table] == 0)) {
		m->kind[s->table] = KIND_NONE;
	}
}

static void step_protect(struct step *s)
{
	struct page *pages = &s->m->pages[s->table][s->first];
	const bool is_own = s->m->kind[s->table] == KIND_OWN;
	uint32_t prot = s->a % 8;
	err_t want = E_OK;

	for (uint32_t i = 0; i < s->n && is_own; i++) {
		if (pages[i].pa != 0 && !pages[i].is_zero &&
		        (pages[i].is_device || frame_use(pages[i].pa) != FRAME_USER)) {
			want = E_PERM;
		}
	}
	want = s->m->kind[s->table] == KIND_MIRROR ? E_BUSY : want;
	want = model_prot_is_valid(prot) ? want : E_INVAL;
	assert(mmu_protect_check(&s->m->real, s->va, s->n, prot) == want);
	step_answer(s, want, mmu_protect(&s->m->real, s->va, s->n, prot));
	for (uint32_t i = 0; want == E_OK && i < s->n && is_own; i++) {
		if (pages[i].pa != 0 && !pages[i].is_zero) {
			pages[i].prot = prot;
		}
	}
}

static void step_mirror(struct step *s)
{
	struct model *m = s->m, *source = &models[(s->a + 1) % N_MODEL_SPACES];
	enum kind theirs = source->kind[s->table], ours = m->kind[s->table];
	err_t want = E_OK;

	if (source == m) {
		return;
	}
	if (theirs != KIND_NONE && (ours == KIND_OWN || ours == KIND_MIRROR)) {
		want = E_BUSY;
	} else if (theirs == KIND_MIRROR ||
	           (theirs == KIND_OWN && m->real.source != NULL && m->source != source)) {
		want = E_BUSY;
	}
	assert(mmu_mirror_check(&m->real, &source->real, model_table_va(s->table)) == want);
	if (want == E_OK && theirs != KIND_NONE) {
		want = step_tables(s, KIND_MIRROR);
	}
	step_answer(
	        s, want, mmu_mirror(&m->real, &source->real, model_table_va(s->table), &s->pool));
	if (want != E_OK || theirs == KIND_NONE) {
		return;
	}
	m->kind[s->table] = theirs == KIND_OWN ? KIND_MIRROR : KIND_ZERO;
	if (theirs == KIND_OWN) {
		m->source = source;
		source->n_sharers[s->table]++;
	}
}

static void step_unmirror(struct step *s)
{
	model_unmirror(s->m, s->table);
}

static void step_zero_absent(struct step *s)
{
	struct model *m = s->m;
	err_t want = E_OK;

	if (m->kind[s->table] == KIND_NONE) {
		want = step_tables(s, s->n == PTE_N ? KIND_ZERO : KIND_OWN);
	}
	step_answer(s, want, mmu_zero_absent(&m->real, s->va, s->n, &s->pool));
	if (want != E_OK || m->kind[s->table] == KIND_ZERO) {
		return;
	}
	if (m->kind[s->table] == KIND_NONE) {
		m->kind[s->table] = s->n == PTE_N ? KIND_ZERO : KIND_OWN;
	}
	m = m->kind[s->table] == KIND_MIRROR ? m->source : m;
	for (uint32_t i = 0; i < s->n && m->kind[s->table] == KIND_OWN; i++) {
		struct page *page = &m->pages[s->table][s->first + i];

		if (page->pa == 0) {
			*page = (struct page){.pa = mmu_zero_page, .prot = PROT_R, .is_zero = true};
		}
	}
}

static void step_gate(struct step *s)
{
	struct page page = model_page(s->m, s->table, s->first);
	err_t want = s->m->kind[s->table] == KIND_MIRROR || (page.pa != 0 && !page.is_zero)
	                     ? E_BUSY
	                     : step_tables(s, KIND_OWN);

	step_answer(s, want, mmu_gate(&s->m->real, s->va, &s->pool));
	if (want == E_OK) {
		model_become_own(s->m, s->table);
		s->m->pages[s->table][s->first] =
		        (struct page){.pa = mmu_gate_page, .prot = PROT_R | PROT_X};
	}
}

/* What is counted of a range without a change. */
static void step_range(struct step *s)
{
	const uint32_t place_end = (s->table / MACHINE_PLACE_TABLES + 1) * MACHINE_PLACE_TABLES;
	uint32_t n_tables = 1 + s->b % 40, n_spare = s->m->real.n_spare, need, n;
	const struct model *source = &models[s->a % N_MODEL_SPACES];
	enum kind own[N_MODEL_TABLES_MAX], zero[N_MODEL_TABLES_MAX], mirror[N_MODEL_TABLES_MAX];
	vaddr_t va = model_table_va(s->table), next = ARCH_USER_END;

	n_tables = s->table + n_tables > place_end ? place_end - s->table : n_tables;
	n = n_tables * PTE_N;
	memcpy(own, s->m->kind, sizeof(own));
	memcpy(zero, own, sizeof(own));
	memcpy(mirror, own, sizeof(own));
	for (uint32_t t = s->table; t < s->table + n_tables; t++) {
		own[t] = own[t] == KIND_NONE || own[t] == KIND_ZERO ? KIND_OWN : own[t];
		zero[t] = zero[t] == KIND_NONE ? KIND_ZERO : zero[t];
		mirror[t] = mirror[t] == KIND_NONE && source->kind[t] != KIND_NONE ? KIND_MIRROR
		                                                                   : mirror[t];
	}
	need = model_tables(own) - model_tables(s->m->kind);
	assert(mmu_map_need(&s->m->real, va, n) == (need > n_spare ? need - n_spare : 0));
	need = model_tables(zero) - model_tables(s->m->kind);
	assert(mmu_zero_need(&s->m->real, va, n) == (need > n_spare ? need - n_spare : 0));
	need = model_tables(mirror) - model_tables(s->m->kind);
	assert(mmu_mirror_need(&s->m->real, &source->real, va, n) ==
	        (need > n_spare ? need - n_spare : 0));
	for (uint32_t t = n_model_tables; t-- > s->table;) {
		next = s->m->kind[t] != KIND_NONE ? model_table_va(t) : next;
	}
	assert(mmu_next(&s->m->real, va, ARCH_USER_END) == next);
}

static void step_trim(struct step *s)
{
	uint32_t n_spare = s->m->real.n_spare, max = s->a % 8, n;
	paddr_t frames[8];

	n = mmu_trim(&s->m->real, frames, max);
	assert(n == (n_spare < max ? n_spare : max));
	model_frames_back(s->m, frames, n);
}

static void step_fini(struct step *s)
{
	if (s->b % 8 == 0) { /* seldom, or spaces are always small */
		model_space_end(s->m, 1 + s->a % 16);
	}
}

void model_step(const uint8_t bytes[MODEL_STEP_BYTES])
{
	static void (*const steps[])(struct step *) = {step_map, step_map, step_map, step_map,
	        step_unmap, step_unmap, step_unmap, step_protect, step_mirror, step_mirror,
	        step_unmirror, step_zero_absent, step_gate, step_range, step_trim, step_fini};
	struct step s = {.m = &models[bytes[1] % N_MODEL_SPACES],
	        .table = bytes[2] % n_model_tables,
	        .first = bytes[3] % PTE_N * (PTE_N / 8) % PTE_N,
	        .a = bytes[5],
	        .b = bytes[6],
	        .c = bytes[7]};

	s.n = 1 + bytes[4] % (PTE_N - s.first);
	if (bytes[4] % 8 == 0) {
		s.first = 0;
		s.n = PTE_N;
	}
	s.va = model_table_va(s.table) + s.first * PAGE_SIZE;
	step_pool_fill(&s);
	steps[bytes[0] % (sizeof(steps) / sizeof(steps[0]))](&s);
	model_check(s.table);
}
