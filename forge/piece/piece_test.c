/*
 * Small objects, assembled here, become pieces as lld would link them: each relaxation, each
 * way a name is resolved, what is dropped, what is refused and in which words. That lld agrees
 * about whole services is the oracle's to say (forge/lld/oracle.c).
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "forge/base/tool.h"
#include "forge/piece/piece.h"
#include "proto/image/flat.h"

#define OBJECTS_MAX 4

/* A link of some objects. */
struct linked {
	struct elf_file elf[OBJECTS_MAX];
	struct piece_input inputs[OBJECTS_MAX];
	size_t n;
	struct names constants;
	struct piece_set *set;
	struct buf bytes, names;
	struct flat_view flat;
};

static char *work;

static void link_fini(struct linked *l)
{
	size_t i;

	l->set = piece_set_free(l->set);
	for (i = 0; i < l->n; i++) {
		elf_file_fini(&l->elf[i]);
	}
	names_fini(&l->constants);
	buf_fini(&l->bytes);
	buf_fini(&l->names);
	*l = (struct linked){0};
}

/* Assemble a text and add it to the link. */
static void link_add(struct linked *l, const char *name, const char *text)
{
	static const char mc[] = LLVM_BIN "/llvm-mc";
	MEM_FREE char *source = mem_printf("%s/%s.s", work, name);
	MEM_FREE char *object = mem_printf("%s/%s.o", work, name);
	const char *const argv[] = {
	        mc, "-filetype=obj", "-triple=x86_64-linux-musl", "-o", object, source, NULL};

	assert(l->n < OBJECTS_MAX);
	assert(mem_write_file(source, text, strlen(text)) == 0);
	assert(tool_run(argv) == 0);
	assert(elf_file_read(&l->elf[l->n], object) == 0);
	l->inputs[l->n] = (struct piece_input){.elf = &l->elf[l->n], .name = name};
	l->n++;
}

/* The symbol vector is one entry: `symbol`, unless NULL. */
static int link_run(struct linked *l, const char *symbol)
{
	const struct piece_request q = {
	        .inputs = l->inputs, .n_inputs = l->n, .constants = &l->constants};
	int r = piece_set_new(&q, &l->set);

	if (r == 0) {
		r = piece_write_flat(l->set, "test", &symbol, symbol ? 1 : 0, &l->bytes);
	}
	if (r == 0) {
		assert(flat_check(l->bytes.bytes, l->bytes.len, &l->flat) == FLAT_OK);
		piece_write_names(l->set, &l->names);
	}
	return r;
}

/* One object with this text behind a _start that calls f. */
static int link_one(struct linked *l, const char *text)
{
	MEM_FREE char *all = mem_printf(".section .text._start,\"ax\",@progbits\n.globl _start\n"
	                                "_start:\ncall f\n%s",
	        text);

	link_add(l, "one.o", all);
	return link_run(l, NULL);
}

/* The number of the piece with this name. */
static uint32_t link_piece(const struct linked *l, const char *name)
{
	MEM_FREE char *text = mem_strdup((const char *)l->names.bytes);
	char *next = text, *line;
	uint32_t i = 0;

	while ((line = strsep(&next, "\n"))) {
		if (strcmp(line, name) == 0) {
			return i;
		}
		i++;
	}
	return FLAT_NO_PIECE;
}

static const uint8_t *link_bytes(const struct linked *l, uint32_t piece)
{
	const uint8_t *p = l->flat.bytes;
	uint32_t i;

	for (i = 0; i < piece; i++) {
		p += l->flat.pieces[i].size;
	}
	return p;
}

static const struct flat_reloc *link_reloc(const struct linked *l, uint32_t piece, uint32_t nth)
{
	const struct flat_reloc *r = l->flat.relocs;
	uint32_t i;

	assert(piece < l->flat.n_pieces && nth < l->flat.pieces[piece].n_relocs);
	for (i = 0; i < piece; i++) {
		r += l->flat.pieces[i].n_relocs;
	}
	return r + nth;
}

static void expect_reloc(const struct linked *l, const char *piece, uint32_t nth,
        struct flat_reloc expect, const char *target)
{
	const struct flat_reloc *r = link_reloc(l, link_piece(l, piece), nth);

	assert(r->where == expect.where);
	assert(r->addend == expect.addend);
	assert(r->target == link_piece(l, target));
}

#define F ".section .text.f,\"ax\",@progbits\n.globl f\nf:\n"
#define V ".section .data.v,\"aw\",@progbits\n.globl v\nv: .quad 0, 0\n"

/* Bytes of a function before and after; `where` and addend of its relocation. */
static const struct relax_row {
	const char *text;
	uint8_t bytes[10];
	uint32_t size, where;
	int32_t addend;
} relax_rows[] = {
        {"movq v@GOTPCREL(%rip), %rax\n", {0x48, 0x8d, 0x05}, 7, 3, -4},
        {"movq v@GOTPCREL(%rip), %r15\n", {0x4c, 0x8d, 0x3d}, 7, 3, -4},
        {"movl v@GOTPCREL(%rip), %ebx\n", {0x8d, 0x1d}, 6, 2, -4},
        {"call *v@GOTPCREL(%rip)\n", {0x67, 0xe8}, 6, 2, -4},
        {"jmp *v@GOTPCREL(%rip)\n", {0xe9, 0, 0, 0, 0, 0x90}, 6, 1, -4},
        {"call v\n", {0xe8}, 5, 1, -4},
        {"leaq v(%rip), %rax\n", {0x48, 0x8d, 0x05}, 7, 3, -4},
        {"cmpl $7, v+8(%rip)\n", {0x83, 0x3d, 0, 0, 0, 0, 7}, 7, 2, 3},
        {"call v+0x10000004\n", {0xe8}, 5, 1, 1 << 28},
        {"call v-0xffffffc\n", {0xe8}, 5, 1, -(1 << 28)},
        {".quad v+5\n", {0}, 8, FLAT_ABS64, 5},
        {".quad v-3\n", {0}, 8, FLAT_ABS64, -3},
};

static void test_reduce(void)
{
	size_t i;

	for (i = 0; i < sizeof(relax_rows) / sizeof(relax_rows[0]); i++) {
		const struct relax_row *row = &relax_rows[i];
		MEM_FREE char *text = mem_printf(F "%s" V, row->text);
		struct linked l = {0};
		uint32_t f;

		assert(link_one(&l, text) == 0);
		f = link_piece(&l, "f");
		assert(l.flat.pieces[f].size == row->size);
		assert(memcmp(link_bytes(&l, f), row->bytes, row->size) == 0);
		expect_reloc(&l, "f", 0, (struct flat_reloc){row->where, 0, row->addend}, "v");
		link_fini(&l);
	}
}

/* A local label in another section is told by that section's symbol and an addend. */
static void test_section_symbol(void)
{
	struct linked l = {0};

	assert(link_one(&l, F "leaq .Lx+1(%rip), %rax\n.quad .Lx\n"
	                      ".section .rodata.k,\"a\",@progbits\n.quad 7\n.Lx: .quad 8\n") == 0);
	expect_reloc(&l, "f", 0, (struct flat_reloc){3, 0, 8 + 1 - 4}, "one.o:.rodata.k");
	expect_reloc(&l, "f", 1, (struct flat_reloc){7 | FLAT_ABS64, 0, 8}, "one.o:.rodata.k");
	assert(flat_class_of(&l.flat, link_piece(&l, "one.o:.rodata.k")) == FLAT_CONST);
	link_fini(&l);
}

/* Classes by section; order by class, then object, then section; two of one name are told apart. */
static void test_classes(void)
{
	static const struct {
		const char *name;
		enum flat_class class;
	} expect[] = {{"_start", FLAT_TEXT}, {"f", FLAT_TEXT}, {"relro", FLAT_CONST},
	        {"str", FLAT_CONST}, {"two", FLAT_CONST}, {"str#2", FLAT_CONST}, {"v", FLAT_DATA},
	        {"site", FLAT_DATA}, {"two.o:.data.k", FLAT_DATA}, {"b", FLAT_ZERO}};
	struct linked l = {0};
	size_t i;

	link_add(&l, "one.o",
	        ".section .text._start,\"ax\"\n.globl _start\n_start: call f\n" F
	        "leaq relro(%rip),%rax\nleaq str(%rip),%rax\nleaq v(%rip),%rax\n"
	        "leaq b(%rip),%rax\nleaq two(%rip),%rax\n"
	        ".section .data.rel.ro.relro,\"aw\",@progbits\nrelro: .quad f\n"
	        ".section .rodata.str1.1,\"aMS\",@progbits,1\nstr: .asciz \"abc\"\n" V
	        ".section lu_sites.site,\"aw\",@progbits\nsite: .quad 0\n"
	        ".section .bss.b,\"aw\",@nobits\n.p2align 6\nb: .zero 100\n");
	link_add(&l, "two.o",
	        ".section .rodata.str1.1,\"aMS\",@progbits,1\n.globl two\n"
	        "two: .asciz \"abc\"\n"
	        ".section .rodata.s,\"a\"\nstr: .quad 0\n"
	        ".section .data.k,\"awR\"\n.quad str\n");
	assert(link_run(&l, NULL) == 0);
	for (i = 0; i < sizeof(expect) / sizeof(expect[0]); i++) {
		assert(link_piece(&l, expect[i].name) == i);
		assert(flat_class_of(&l.flat, (uint32_t)i) == expect[i].class);
	}
	assert(l.flat.n_pieces == i);
	assert(l.flat.pieces[i - 1].size == 100 && l.flat.pieces[i - 1].align_log2 == 6);
	link_fini(&l);
}

/* Two objects and whose `f` the call reaches: its first byte. */
static void test_resolve(void)
{
#define G(bind, byte) ".section .text.f,\"ax\"\n." bind " f\nf: .byte " byte "\n"
#define START ".section .text._start,\"ax\"\n.globl _start\n_start: call f\n"
	static const struct {
		const char *objects[3];
		uint8_t reached;
	} rows[] = {
	        {{START, G("globl", "1"), G("weak", "2")}, 1},
	        {{START, G("weak", "1"), G("globl", "2")}, 2},
	        {{START, G("weak", "1"), G("weak", "2")}, 1},
	        {{START G("local", "1"), G("globl", "2"), G("weak", "3")}, 1},
	        {{START, G("local", "1"), G("globl", "2")}, 2},
	};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const char *const names[] = {"a.o", "b.o", "c.o"};
		struct linked l = {0};

		for (k = 0; k < 3; k++) {
			link_add(&l, names[k], rows[i].objects[k]);
		}
		assert(link_run(&l, "f") == 0);
		assert(l.flat.n_pieces == 2); /* the losers are dropped */
		assert(*link_bytes(&l, link_reloc(&l, link_piece(&l, "_start"), 0)->target) ==
		        rows[i].reached);
		assert(l.flat.symbols[0].piece == link_piece(&l, "f"));
		link_fini(&l);
	}
}

/* Alive is what _start reaches, witnesses, and what is marked; through data, too. */
static void test_live(void)
{
	struct linked l = {0};

	assert(link_one(&l, F "ret\n.section .text.dead,\"ax\"\ndead: call nowhere\n"
	                      ".section .data.loop,\"aw\"\nloop: .quad loop2\n"
	                      ".section .data.loop2,\"aw\"\nloop2: .quad loop\n"
	                      ".section .text.used,\"axR\"\nused: leaq held(%rip), %rax\n"
	                      ".section .data.held,\"aw\"\nheld: .quad held2\n"
	                      ".section .bss.held2,\"aw\",@nobits\nheld2: .quad 0\n"
	                      ".section lu_sites,\"aw\"\nsite: .quad 0\n"
	                      ".section .eh_frame,\"a\"\n.quad dead\n"
	                      ".section .debug_x\n.quad dead\n") == 0);
	assert(link_piece(&l, "used") != FLAT_NO_PIECE);
	assert(link_piece(&l, "held") != FLAT_NO_PIECE);
	assert(link_piece(&l, "held2") != FLAT_NO_PIECE);
	assert(link_piece(&l, "site") != FLAT_NO_PIECE);
	assert(link_piece(&l, "dead") == FLAT_NO_PIECE);
	assert(link_piece(&l, "loop") == FLAT_NO_PIECE);
	assert(l.flat.n_pieces == 6);
	assert(l.flat.header->entry_piece == link_piece(&l, "_start"));
	link_fini(&l);
}

/* What a library never writes is a constant; its neighbour must be one, too. */
static void test_constants(void)
{
	static const char alone[] = F "leaq v(%rip), %rax\n" V;
	static const char beside[] = F "leaq v(%rip), %rax\n" V "w: .quad 0\n";
	struct linked l = {0};

	(void)names_add(&l.constants, "v", 0);
	assert(link_one(&l, alone) == 0);
	assert(flat_class_of(&l.flat, link_piece(&l, "v")) == FLAT_DATA); /* the service's own */
	l.inputs[0].library = true;
	l.set = piece_set_free(l.set);
	buf_fini(&l.names);
	buf_fini(&l.bytes);
	assert(link_run(&l, NULL) == 0);
	assert(flat_class_of(&l.flat, link_piece(&l, "v")) == FLAT_CONST);
	link_fini(&l);
	(void)names_add(&l.constants, "v", 0);
	assert(link_one(&l, beside) == 0);
	l.inputs[0].library = true;
	l.set = piece_set_free(l.set);
	buf_fini(&l.bytes);
	assert(link_run(&l, NULL) == -EINVAL);
	link_fini(&l);
}

/* Each is refused, in words that name the object and what is wrong in it. */
static const struct refuse_row {
	const char *text, *words;
} refuse_rows[] = {
        {F ".globl nowhere\ncall nowhere\n", "one.o: section .text.f needs symbol nowhere"},
        {F ".weak nowhere\ncall nowhere\n", "one.o: section .text.f needs weak symbol nowhere"},
        {F "leaq _GLOBAL_OFFSET_TABLE_(%rip), %rax\n",
                "section .text.f: relocation R_X86_64_GOTPC32"},
        {F ".quad _end\n", "needs symbol _end"},
        {F "movl $v, %eax\n" V,
                "section .text.f: relocation R_X86_64_32 (type 10) at offset 0x1 to v is not "
                "supported; address it relative to rip"},
        {F "movq $v, %rax\n" V, "relocation R_X86_64_32S (type 11)"},
        {F ".quad v - .\n" V,
                "relocation R_X86_64_PC64 (type 24) at offset 0x0 to v is not supported; subtract"},
        {F ".quad .Lk - .\n.section .rodata.k,\"a\"\n.Lk: .quad 0\n", "0x0 to .rodata.k is not"},
        {F "ret\n.reloc 0, R_X86_64_NONE\n", "(type 0) at offset 0x0 to nothing is not"},
        {F ".byte v - .\n" V, "relocation of an unknown kind (type 15)"},
        {F "addq v@GOTPCREL(%rip), %rax\n" V,
                "section .text.f: the access to v through the global offset table at 0x3 cannot"},
        {F "testq %rax, v@GOTPCREL(%rip)\n" V, "cannot be made direct"},
        {F "pushq v@GOTPCREL(%rip)\n" V, "relocation R_X86_64_GOTPCREL (type 9)"},
        {F ".weak w\ncmpq $0, w@GOTPCREL(%rip)\n", "to w is not supported; define the symbol"},
        {F "movq 0(%rip), %rax\n.reloc .-4, R_X86_64_REX_GOTPCRELX, v\n" V,
                "cannot be made direct"},
        {F ".quad v + 0x80000000\n" V,
                "section .text.f: addend 2147483648 at 0x0 is beyond 32 bits"},
        {F ".quad v - 0x80000001\n" V, "is beyond 32 bits"},
        {F "call v+0x10000005\n" V,
                "section .text.f: at 0x1, a place 268435457 bytes from v would be out of reach"},
        {F "call v-0xffffffd\n" V, "-268435457 bytes from v would be out of reach"},
        {F "leaq t@TPOFF(%rax), %rax\n.section .tbss.t,\"awT\",@nobits\nt: .quad 0\n",
                "one.o: section .tbss.t: thread-local"},
        {F "ret\n.section .init_array,\"aw\",@init_array\n.quad f\n",
                "one.o: section .init_array (type 0xe"},
        {F "ret\n.section other,\"aw\"\n.quad 0\n", "one.o: section other (type 0x1"},
        {F "ret\n.section .text.w,\"awx\"\nret\n", "section .text.w"},
        {F "ret\n.section .rodata.w,\"aw\"\n.quad 0\n", "section .rodata.w"},
        {F "ret\n.section .data.n,\"aw\",@nobits\n.quad 0\n", "section .data.n"},
        {F "ret\n.section .text.g,\"axG\",@progbits,g,comdat\nret\n", "section .text.g"},
        {F "ret\n.section .text.o,\"axo\",@progbits,.text.f\nret\n", "section .text.o"},
        {F "ret\n.section .data.a,\"aw\"\n.p2align 13\n.quad 0\n",
                "section .data.a: 8 bytes aligned to 8192"},
        {F "ret\n.section .bss.a,\"aw\",@nobits\n.zero 0x4000001\n",
                "section .bss.a: 67108865 bytes"},
        {F "leaq c(%rip), %rax\n.comm c, 8, 8\n", "one.o: symbol c is COMMON"},
        {F "call i\n.type i, @gnu_indirect_function\n.globl i\ni: ret\n",
                "symbol i, whose address"},
        {F "leaq e(%rip), %rax\n.section .data.e,\"aw\"\n.globl e\ne:\n",
                "refers to symbol e in one.o, which is not in memory (section .data.e); what has "
                "no size"},
        {F "leaq n(%rip), %rax\n.section .note.n,\"a\",@note\n.globl n\nn: .quad 0\n",
                "symbol n in one.o, which is not in memory"},
        {F ".globl x\n.symver x, x@V1\ncall x\n", "symbol x@V1 has a version"},
        {F ".reloc 0, R_X86_64_64, v\n.reloc 4, R_X86_64_64, v\n.zero 16\n" V,
                "section .text.f: relocations overlap at 0x4"},
        {F ".reloc 1, R_X86_64_64, v\n.zero 8\n" V, "lies outside its bytes"},
        {F ".reloc 0, R_X86_64_PC32, 5\n.zero 8\n", "a relocation without a symbol"},
};

/* What the call says on stderr; owned. */
static char *said_by(struct linked *l, const char *text, int *ret_r)
{
	MEM_FREE char *path = mem_printf("%s/said", work);
	const int keep = dup(STDERR_FILENO);
	BUF_CLEANUP struct buf said = {0};

	assert(keep >= 0 && freopen(path, "w", stderr));
	*ret_r = text ? link_one(l, text) : link_run(l, "twice");
	fflush(stderr);
	assert(dup2(keep, STDERR_FILENO) >= 0);
	close(keep);
	assert(buf_read_file(&said, path) == 0);
	return mem_strdup((const char *)said.bytes);
}

static void expect_refused(struct linked *l, const char *text, const char *words)
{
	int r;
	MEM_FREE char *said = said_by(l, text, &r);

	if (r != -EINVAL || !strstr(said, words)) {
		fprintf(stderr, "\"%s\" (%d) is not \"%s\"\n", said, r, words);
	}
	assert(r == -EINVAL && strstr(said, words));
	assert(l->bytes.len == 0);
	link_fini(l);
}

static void test_refuse(void)
{
	struct linked l = {0};
	size_t i;

	for (i = 0; i < sizeof(refuse_rows) / sizeof(refuse_rows[0]); i++) {
		expect_refused(&l, refuse_rows[i].text, refuse_rows[i].words);
	}
	link_add(&l, "a.o", START G("globl", "1"));
	link_add(&l, "b.o", G("globl", "2"));
	expect_refused(&l, NULL, "b.o: symbol f is defined in a.o, too");
	link_add(&l, "a.o", G("globl", "1"));
	expect_refused(&l, NULL, "_start: nothing defines the entry point");
	link_add(&l, "a.o", ".data\n.globl _start\n_start: .quad 0\n");
	expect_refused(&l, NULL, "_start: the entry point is not code");
	link_add(&l, "a.o", START F "leaq a(%rip), %rax\n");
	link_add(&l, "b.o", ".globl a\na = 5\n");
	expect_refused(&l, NULL, "refers to symbol a in b.o, which is not in memory");
	link_add(&l, "a.o", START F "leaq twice(%rip), %rax\n.data\ntwice: .quad g\n");
	expect_refused(&l, NULL, "needs symbol g");
	link_add(&l, "a.o", START F "leaq twice(%rip), %rax\ncall g\n.data\ntwice: .quad 0\n");
	link_add(&l, "b.o", ".text\n.globl g\ng: leaq twice(%rip), %rax\n.data\ntwice: .quad 0\n");
	expect_refused(&l, NULL, "twice: this symbol of the state description is more than once");
	link_add(&l, "a.o", START F "ret\n.section .data.t,\"aw\"\ntwice: .quad 0\n");
	expect_refused(&l, NULL, "twice: this symbol of the state description is not in");
}

/* Relocations that no assembler writes: outside their section, of no symbol, of another table. */
static void test_bad_relocs(void)
{
	static const struct {
		size_t field; /* in the first entry; or in the header of the table, from 100 on */
		uint64_t value;
		size_t width;
	} rows[] = {
	        {offsetof(Elf64_Rela, r_offset), 5, 8},
	        {offsetof(Elf64_Rela, r_offset), UINT64_MAX, 8},
	        {offsetof(Elf64_Rela, r_info), UINT64_C(99) << 32 | R_X86_64_PC32, 8},
	        {100 + offsetof(Elf64_Shdr, sh_link), 0, 4},
	        {100 + offsetof(Elf64_Shdr, sh_info), 99, 4},
	        {100 + offsetof(Elf64_Shdr, sh_type), SHT_REL, 4},
	        {100 + offsetof(Elf64_Shdr, sh_type), 0x40000014, 4}, /* SHT_CREL */
	};
	struct linked l = {0};
	size_t i, k;

	link_add(&l, "one.o", ".section .text.f,\"ax\"\ncall f\n");
	for (k = 0; l.elf[0].sections[k].type != SHT_RELA; k++) {
	}
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t header = l.elf[0].header.e_shoff + k * sizeof(Elf64_Shdr);
		const size_t entry = (size_t)(l.elf[0].sections[k].bytes - l.elf[0].data.bytes);
		BUF_CLEANUP struct buf bytes = {0};
		struct elf_file elf;

		buf_add(&bytes, l.elf[0].data.bytes, l.elf[0].data.len);
		memcpy(bytes.bytes + (rows[i].field < 100 ? entry + rows[i].field
		                                          : header + rows[i].field - 100),
		        &rows[i].value, rows[i].width);
		assert(elf_file_init(&elf, "damaged.o", &bytes) == -EINVAL);
	}
	link_fini(&l);
}

/* A type that no assembler of ours knows: behind the last that has a name, and far away. */
static void test_unknown_types(void)
{
	static const uint32_t types[] = {R_X86_64_REX_GOTPCRELX + 1, UINT32_MAX};
	size_t i, k;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct linked l = {0};

		link_add(&l, "one.o", START F "ret\n");
		for (k = 0; l.elf[0].sections[k].n_relocs == 0; k++) {
		}
		l.elf[0].sections[k].relocs[0].type = types[i];
		expect_refused(&l, NULL, "relocation of an unknown kind (type 4");
	}
}

/* As many relocations as a piece of a flat kit may have, and one more. */
static void test_many_relocs(void)
{
	struct linked l = {0};

	assert(link_one(&l, F ".rept 65535\n.quad v\n.endr\n" V) == 0);
	assert(l.flat.pieces[link_piece(&l, "f")].n_relocs == UINT16_MAX);
	link_fini(&l);
	expect_refused(&l, F ".rept 65536\n.quad v\n.endr\n" V,
	        "section .text.f: 65536 relocations; at most 65535");
}

/* What a service writes and no symbol of its state is in would be lost; libraries start afresh. */
static void test_carried(void)
{
	struct linked l = {0};

	link_add(&l, "one.o", START F "leaq v(%rip), %rax\n" V);
	assert(link_run(&l, "v") == 0 && piece_check_carried(l.set, &l.bytes) == 0);
	l.bytes.bytes[0] ^= 1;
	assert(piece_check_carried(l.set, &l.bytes) < 0);
	link_fini(&l);
	link_add(&l, "one.o", START F "leaq v(%rip), %rax\n" V);
	assert(link_run(&l, NULL) == 0 && piece_check_carried(l.set, &l.bytes) == -EINVAL);
	l.inputs[0].library = true;
	assert(piece_check_carried(l.set, &l.bytes) == 0);
	link_fini(&l);
}

/* With so many sections, the number that says "absolute" would be one of them. */
static void test_many_sections(void)
{
	BUF_CLEANUP struct buf text = {0};
	MEM_FREE char *source = mem_printf("%s/many.s", work);
	MEM_FREE char *object = mem_printf("%s/many.o", work);
	const char *const argv[] = {LLVM_BIN "/llvm-mc", "-filetype=obj",
	        "-triple=x86_64-linux-musl", "-o", object, source, NULL};
	struct elf_file elf;
	unsigned int i;

	for (i = 0; i < SHN_LORESERVE; i++) {
		buf_printf(&text, ".section .data.%x\n", i);
	}
	assert(buf_write_file(&text, source) == 0 && tool_run(argv) == 0);
	assert(elf_file_read(&elf, object) == -EINVAL);
}

/* The oracle's objects: numbers of sections and symbols stay, every piece has its symbol. */
static void test_object(void)
{
	struct linked l = {0};
	BUF_CLEANUP struct buf copy = {0};
	struct elf_file elf;
	size_t i, n = 0;

	assert(link_one(&l, F "leaq v(%rip), %rax\n" V ".section lu_sites.s,\"aw\"\nsite: .quad 0\n"
	                      ".section .text.dead,\"ax\"\nret\n") == 0);
	assert(piece_write_object(l.set, 0, &copy) == 0);
	assert(elf_file_init(&elf, "copy", &copy) == 0);
	assert(elf.n_sections == l.elf[0].n_sections);
	for (i = 0; i < l.elf[0].n_symbols; i++) {
		assert(strcmp(elf.symbols[i].name, l.elf[0].symbols[i].name) == 0);
		assert(elf.symbols[i].section == l.elf[0].symbols[i].section);
	}
	for (; i < elf.n_symbols; i++) {
		unsigned int number;

		assert(sscanf(elf.symbols[i].name, "lu.piece.%u", &number) == 1);
		assert(elf.symbols[i].bind == STB_GLOBAL && elf.symbols[i].value == 0);
		assert(elf_symbol_section(&elf, &elf.symbols[i])->size ==
		        l.flat.pieces[number].size);
		n++;
	}
	assert(n == l.flat.n_pieces && n == 4);
	for (i = 0; i < elf.n_sections; i++) {
		const bool site = strcmp(elf.sections[i].name, ".data.lu_sites") == 0;

		assert(site == (strcmp(l.elf[0].sections[i].name, "lu_sites.s") == 0));
		assert(site == ((elf.sections[i].flags & SHF_GNU_RETAIN) != 0));
	}
	elf_file_fini(&elf);
	link_fini(&l);
}

int main(void)
{
	assert(mem_temp_dir(&work) == 0);
	test_reduce();
	test_section_symbol();
	test_classes();
	test_resolve();
	test_live();
	test_constants();
	test_refuse();
	test_object();
	test_bad_relocs();
	test_unknown_types();
	test_many_relocs();
	test_carried();
	test_many_sections();
	mem_remove_dir(work);
	free(work);
	return 0;
}
