#pragma once
/* A merged type graph as BTF: one BTF type per class, its id being the class. */
#include "forge/base/mem.h"
#include "forge/debug/type_graph.h"

/*
 * Write the BTF blob, and the offset of each type id in the blob's type section
 * (u32 each, [0] for void being 0).
 */
int type_btf_write(const struct type_graph *graph, struct buf *ret_btf, struct buf *ret_offsets);
