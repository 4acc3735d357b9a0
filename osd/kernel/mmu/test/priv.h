#pragma once
/* Of model.c, for the operations in steps.c. */
#include "osd/kernel/mmu/priv.h"

#define N_MODEL_SPACES 3u
#define N_MODEL_TABLES_MAX 256u
#define N_KERNEL 8u /* frames of the arena, from the start */
#define N_DATA 24u  /* behind them: memory to be mapped; the rest becomes tables */

enum kind { KIND_NONE, KIND_OWN, KIND_ZERO, KIND_MIRROR };

struct page {
	paddr_t pa; /* 0: absent */
	uint32_t prot;
	bool is_zero, is_device;
};

struct model {
	struct mmu_space real;
	enum kind kind[N_MODEL_TABLES_MAX];
	uint32_t n_sharers[N_MODEL_TABLES_MAX];
	struct page pages[N_MODEL_TABLES_MAX][PTE_N];
	struct model *source;
	uint32_t n_given; /* frames that went into it and have not come back */
	/* What a CPU may hold: what it walked to last, and through which table. */
	struct page cached[N_MODEL_TABLES_MAX][PTE_N];
	paddr_t cached_table[N_MODEL_TABLES_MAX];
	bool is_gone; /* arch_space_gone() was called in this step */
};

extern struct model models[N_MODEL_SPACES];
extern const uint32_t n_model_tables;

vaddr_t model_table_va(uint32_t table);
/* A frame for tables that nobody has, from the nth on. */
paddr_t model_frame_free(uint32_t n);
/* What is at a page by the arrays: through a mirror it cannot be written or executed. */
struct page model_page(const struct model *m, uint32_t table, uint32_t i);
/* Tables that a space has when its last-level ones are these: itself, those, and directories. */
uint32_t model_tables(const enum kind kind[]);
/* Frames that a space gave back are nobody's. */
void model_frames_back(struct model *m, const paddr_t *frames, uint32_t n);
/* End the space, unless it is mirrored, and begin it anew. */
void model_space_end(struct model *m, uint32_t max);
void model_unmirror(struct model *m, uint32_t table);
/* Compare what is at a table, in all spaces. */
void model_check(uint32_t table);
