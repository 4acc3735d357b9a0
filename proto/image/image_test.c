/* Good images pass, and each way of being malformed has its own answer. */
#undef NDEBUG
#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "proto/image/image.h"

#define BASE UINT64_C(0x123456600000)

struct sample {
	alignas(8) struct image_header header;
	struct image_segment segments[3];
	uint64_t symbols[4];
	char fill[IMAGE_PAGE - sizeof(struct image_header) - 3 * sizeof(struct image_segment) -
	          4 * sizeof(uint64_t)];
	char text[IMAGE_PAGE];
	char data[100];
};

static struct sample sample_good(void)
{
	return (struct sample){
	        .header = {.magic = IMAGE_MAGIC,
	                .version = IMAGE_VERSION,
	                .header_size = sizeof(struct image_header),
	                .total_size = sizeof(struct sample),
	                .service = "ds",
	                .base = BASE,
	                .entry = BASE + 0x1010,
	                .n_segments = 3,
	                .n_symbols = 4,
	                .segments_off = offsetof(struct sample, segments),
	                .symbols_off = offsetof(struct sample, symbols),
	                .window_len = 0x8000},
	        .segments = {{.vaddr = BASE,
	                             .mem_size = 0x1000,
	                             .file_off = 0x1000,
	                             .file_size = 16,
	                             .prot = IMAGE_PROT_READ},
	                {.vaddr = BASE + 0x1000,
	                        .mem_size = 0x2000,
	                        .file_off = 0x1000,
	                        .file_size = 0x1000,
	                        .prot = IMAGE_PROT_READ | IMAGE_PROT_EXEC},
	                {.vaddr = BASE + 0x4000,
	                        .mem_size = 0x4000,
	                        .file_off = 0x2000,
	                        .file_size = 100,
	                        .prot = IMAGE_PROT_READ | IMAGE_PROT_WRITE}},
	        .symbols = {BASE, BASE + 0x1010, 0, BASE + 0x8000},
	};
}

static void break_magic(struct sample *s)
{
	s->header.magic[7] = 'x';
}
static void break_version(struct sample *s)
{
	s->header.version = 9;
}
static void break_header_size(struct sample *s)
{
	s->header.header_size++;
}
static void break_total(struct sample *s)
{
	s->header.total_size--;
}
static void break_name_empty(struct sample *s)
{
	s->header.service[0] = 0;
}
static void break_name_upper(struct sample *s)
{
	s->header.service[0] = 'D';
}
static void break_name_tail(struct sample *s)
{
	s->header.service[23] = 'd';
}
static void break_base_align(struct sample *s)
{
	s->header.base += 0x1000;
}
static void break_base_low(struct sample *s)
{
	s->header.base = IMAGE_WINDOW_ALIGN;
}
static void break_base_high(struct sample *s)
{
	s->header.base = IMAGE_BASE_END;
}
static void break_window_zero(struct sample *s)
{
	s->header.window_len = 0;
}
static void break_window_odd(struct sample *s)
{
	s->header.window_len++;
}
static void break_window_big(struct sample *s)
{
	s->header.window_len = IMAGE_WINDOW_MAX + 4096;
}
static void break_no_segments(struct sample *s)
{
	s->header.n_segments = 0;
}
static void break_many_segments(struct sample *s)
{
	s->header.n_segments = 1000;
}
static void break_many_symbols(struct sample *s)
{
	s->header.n_symbols = UINT32_MAX;
}
static void break_segments_off(struct sample *s)
{
	s->header.segments_off = UINT64_MAX - 7;
}
static void break_segments_odd(struct sample *s)
{
	s->header.segments_off++;
}
static void break_segments_low(struct sample *s)
{
	s->header.segments_off = 0;
}
static void break_symbols_off(struct sample *s)
{
	s->header.symbols_off = sizeof(*s) & ~7ul;
}
static void break_vaddr_align(struct sample *s)
{
	s->segments[0].vaddr++;
}
static void break_vaddr_low(struct sample *s)
{
	s->segments[0].vaddr -= 0x1000;
}
static void break_vaddr_wrap(struct sample *s)
{
	s->segments[2].vaddr = -UINT64_C(4096);
}
static void break_mem_zero(struct sample *s)
{
	s->segments[0].mem_size = 0;
}
static void break_mem_huge(struct sample *s)
{
	s->segments[2].mem_size = -UINT64_C(4096);
}
static void break_file_more(struct sample *s)
{
	s->segments[0].file_size = 0x1001;
}
static void break_file_off(struct sample *s)
{
	s->segments[2].file_off = 0x3000;
}
static void break_file_end(struct sample *s)
{
	s->segments[2].file_size = 101;
}
static void break_overlap(struct sample *s)
{
	s->segments[1].vaddr = BASE;
}
static void break_wx(struct sample *s)
{
	s->segments[1].prot = 7;
}
static void break_prot_none(struct sample *s)
{
	s->segments[1].prot = 0;
}
static void break_prot_unknown(struct sample *s)
{
	s->segments[1].prot = 9;
}
static void break_entry_data(struct sample *s)
{
	s->header.entry = BASE + 0x4000;
}
static void break_entry_bss(struct sample *s)
{
	s->header.entry = BASE + 0x2000;
}
static void break_symbol_gap(struct sample *s)
{
	s->symbols[1] = BASE + 0x3001;
}
static void break_symbol_far(struct sample *s)
{
	s->symbols[1] = UINT64_MAX;
}
static void break_reserved(struct sample *s)
{
	s->segments[1].reserved = 1;
}

static const struct {
	void (*damage)(struct sample *);
	enum image_error want;
} image_cases[] = {
        {break_magic, IMAGE_E_MAGIC},
        {break_version, IMAGE_E_VERSION},
        {break_header_size, IMAGE_E_VERSION},
        {break_total, IMAGE_E_SHORT},
        {break_name_empty, IMAGE_E_NAME},
        {break_name_upper, IMAGE_E_NAME},
        {break_name_tail, IMAGE_E_NAME},
        {break_base_align, IMAGE_E_WINDOW},
        {break_base_low, IMAGE_E_WINDOW},
        {break_base_high, IMAGE_E_WINDOW},
        {break_window_zero, IMAGE_E_WINDOW},
        {break_window_odd, IMAGE_E_WINDOW},
        {break_window_big, IMAGE_E_WINDOW},
        {break_no_segments, IMAGE_E_COUNT},
        {break_many_segments, IMAGE_E_COUNT},
        {break_many_symbols, IMAGE_E_COUNT},
        {break_segments_off, IMAGE_E_TABLE},
        {break_segments_odd, IMAGE_E_TABLE},
        {break_segments_low, IMAGE_E_TABLE},
        {break_symbols_off, IMAGE_E_TABLE},
        {break_vaddr_align, IMAGE_E_SEGMENT},
        {break_vaddr_low, IMAGE_E_SEGMENT},
        {break_vaddr_wrap, IMAGE_E_SEGMENT},
        {break_mem_zero, IMAGE_E_SEGMENT},
        {break_mem_huge, IMAGE_E_SEGMENT},
        {break_file_more, IMAGE_E_SEGMENT},
        {break_file_off, IMAGE_E_SEGMENT},
        {break_file_end, IMAGE_E_SEGMENT},
        {break_overlap, IMAGE_E_ORDER},
        {break_wx, IMAGE_E_PROT},
        {break_prot_none, IMAGE_E_PROT},
        {break_prot_unknown, IMAGE_E_PROT},
        {break_entry_data, IMAGE_E_ENTRY},
        {break_entry_bss, IMAGE_E_ENTRY},
        {break_symbol_gap, IMAGE_E_SYMBOL},
        {break_symbol_far, IMAGE_E_SYMBOL},
        {break_reserved, IMAGE_E_RESERVED},
};

static size_t sample_len(void)
{
	return offsetof(struct sample, data) + sizeof(((struct sample *)0)->data);
}

static struct sample sample_exact(void)
{
	struct sample s = sample_good();

	s.header.total_size = sample_len();
	return s;
}

static void test_image_good(void)
{
	struct sample s = sample_exact();
	struct image_view v;

	assert(image_check(&s, sample_len(), &v) == IMAGE_OK);
	assert(v.header == &s.header && v.symbols == s.symbols);
	assert(image_segment_bytes(&v, 2) == (const uint8_t *)s.data);
}

static void test_image_bad(void)
{
	size_t i;

	for (i = 0; i < sizeof(image_cases) / sizeof(image_cases[0]); i++) {
		struct sample s = sample_exact();
		struct image_view v = {0};
		enum image_error r;

		image_cases[i].damage(&s);
		r = image_check(&s, sample_len(), &v);
		if (r != image_cases[i].want) {
			printf("case %zu: %s, not %s\n", i, image_error_text(r),
			        image_error_text(image_cases[i].want));
		}
		assert(r == image_cases[i].want);
		assert(v.header == NULL);
	}
}

static void test_image_buffer(void)
{
	alignas(8) char room[sizeof(struct sample) + 8];
	struct sample s = sample_exact();
	struct image_view v;
	size_t len;

	memcpy(room + 1, &s, sizeof(s));
	assert(image_check(room + 1, sample_len(), &v) == IMAGE_E_ALIGN);
	for (len = 0; len < sample_len(); len++) {
		assert(image_check(&s, len, &v) == IMAGE_E_SHORT);
	}
}

struct boot_sample {
	alignas(8) struct boot_header header;
	struct boot_entry entries[3];
	char fill[IMAGE_PAGE - sizeof(struct boot_header) - 3 * sizeof(struct boot_entry)];
	char part[64];
};

static const struct boot_part part_good = {IMAGE_PAGE, 64};

static struct boot_sample boot_good(void)
{
	return (struct boot_sample){
	        .header = {.magic = BOOT_MAGIC,
	                .version = BOOT_VERSION,
	                .header_size = sizeof(struct boot_header),
	                .total_size = sizeof(struct boot_sample),
	                .n_entries = 3,
	                .entries_off = offsetof(struct boot_sample, entries),
	                .root = part_good,
	                .cmdline = "test=kcall  testing=1 empty= x"},
	        .entries = {{.name = "vm",
	                            .kind = BOOT_KIND_SERVICE,
	                            .flags = BOOT_KERNEL_LOADED,
	                            .manifest = part_good,
	                            .payload = part_good},
	                {.name = "rs",
	                        .kind = BOOT_KIND_SERVICE,
	                        .manifest = part_good,
	                        .state = part_good,
	                        .flat = part_good,
	                        .payload = part_good},
	                {.name = "ds#2", .kind = BOOT_KIND_BLOB, .envelope = part_good}},
	};
}

static void boot_break_magic(struct boot_sample *s)
{
	s->header.magic[0] = 0;
}
static void boot_break_version(struct boot_sample *s)
{
	s->header.version++;
}
static void boot_break_header_size(struct boot_sample *s)
{
	s->header.header_size--;
}
static void boot_break_total(struct boot_sample *s)
{
	s->header.total_size++;
}
static void boot_break_reserved(struct boot_sample *s)
{
	s->header.reserved = 1;
}
static void boot_break_count(struct boot_sample *s)
{
	s->header.n_entries = 257;
}
static void boot_break_table(struct boot_sample *s)
{
	s->header.n_entries = 200;
}
static void boot_break_entries_off(struct boot_sample *s)
{
	s->header.entries_off = 8;
}
static void boot_break_root(struct boot_sample *s)
{
	s->header.root.len = 65;
}
static void boot_break_cmd_ctrl(struct boot_sample *s)
{
	s->header.cmdline[3] = '\n';
}
static void boot_break_cmd_tail(struct boot_sample *s)
{
	s->header.cmdline[200] = 'x';
}
static void boot_break_cmd_full(struct boot_sample *s)
{
	memset(s->header.cmdline, 'x', 256);
}
static void boot_break_kind(struct boot_sample *s)
{
	s->entries[0].kind = 3;
}
static void boot_break_flag(struct boot_sample *s)
{
	s->entries[0].flags = 2;
}
static void boot_break_blob_flag(struct boot_sample *s)
{
	s->entries[2].flags = 1;
}
static void boot_break_name(struct boot_sample *s)
{
	s->entries[0].name[0] = '#';
}
static void boot_break_blob_name(struct boot_sample *s)
{
	s->entries[2].name[0] = '/';
}
static void boot_break_order(struct boot_sample *s)
{
	s->entries[0] = s->entries[2];
}
static void boot_break_twice(struct boot_sample *s)
{
	s->entries[1] = s->entries[0];
}
static void boot_break_part_odd(struct boot_sample *s)
{
	s->entries[1].state.off++;
}
static void boot_break_part_off(struct boot_sample *s)
{
	s->entries[1].state.off = UINT64_MAX << 12;
}
static void boot_break_part_len(struct boot_sample *s)
{
	s->entries[1].manifest.len = UINT64_MAX;
}
static void boot_break_part_head(struct boot_sample *s)
{
	s->entries[1].payload.off = 0;
}
static void boot_break_part_none(struct boot_sample *s)
{
	s->entries[1].envelope.off = 4096;
}
static void boot_break_part_flat(struct boot_sample *s)
{
	s->entries[1].flat.len = sizeof(*s);
}
static void boot_break_no_payload(struct boot_sample *s)
{
	s->entries[1].payload = (struct boot_part){0};
}
static void boot_break_no_manifest(struct boot_sample *s)
{
	s->entries[1].manifest = (struct boot_part){0};
}

static const struct {
	void (*damage)(struct boot_sample *);
	enum image_error want;
} boot_cases[] = {
        {boot_break_magic, IMAGE_E_MAGIC},
        {boot_break_version, IMAGE_E_VERSION},
        {boot_break_header_size, IMAGE_E_VERSION},
        {boot_break_total, IMAGE_E_SHORT},
        {boot_break_reserved, IMAGE_E_RESERVED},
        {boot_break_count, IMAGE_E_COUNT},
        {boot_break_table, IMAGE_E_TABLE},
        {boot_break_entries_off, IMAGE_E_TABLE},
        {boot_break_root, IMAGE_E_PART},
        {boot_break_cmd_ctrl, IMAGE_E_CMDLINE},
        {boot_break_cmd_tail, IMAGE_E_CMDLINE},
        {boot_break_cmd_full, IMAGE_E_CMDLINE},
        {boot_break_kind, IMAGE_E_KIND},
        {boot_break_flag, IMAGE_E_KIND},
        {boot_break_blob_flag, IMAGE_E_KIND},
        {boot_break_name, IMAGE_E_NAME},
        {boot_break_blob_name, IMAGE_E_NAME},
        {boot_break_order, IMAGE_E_KIND},
        {boot_break_twice, IMAGE_E_DUPLICATE},
        {boot_break_part_odd, IMAGE_E_PART},
        {boot_break_part_off, IMAGE_E_PART},
        {boot_break_part_len, IMAGE_E_PART},
        {boot_break_part_head, IMAGE_E_PART},
        {boot_break_part_none, IMAGE_E_PART},
        {boot_break_part_flat, IMAGE_E_PART},
        {boot_break_no_payload, IMAGE_E_PART},
        {boot_break_no_manifest, IMAGE_E_PART},
};

static void test_boot_good(void)
{
	struct boot_sample s = boot_good();
	struct boot_item item;
	struct boot_view v;

	assert(boot_check(&s, sizeof(s), &v) == IMAGE_OK);
	boot_entry_get(&v, 0, &item);
	assert(item.payload == (const uint8_t *)s.part && item.payload_len == 64);
	assert(item.state == NULL && item.state_len == 0);
	assert(item.flat == NULL && item.flat_len == 0);
	boot_entry_get(&v, 1, &item);
	assert(item.flat == (const uint8_t *)s.part && item.flat_len == 64);
	boot_entry_get(&v, 2, &item);
	assert(item.entry->kind == BOOT_KIND_BLOB && item.envelope_len == 64);
}

static void test_boot_bad(void)
{
	size_t i;

	for (i = 0; i < sizeof(boot_cases) / sizeof(boot_cases[0]); i++) {
		struct boot_sample s = boot_good();
		struct boot_view v = {0};
		enum image_error r;

		boot_cases[i].damage(&s);
		r = boot_check(&s, sizeof(s), &v);
		if (r != boot_cases[i].want) {
			printf("boot case %zu: %s, not %s\n", i, image_error_text(r),
			        image_error_text(boot_cases[i].want));
		}
		assert(r == boot_cases[i].want);
		assert(v.header == NULL);
	}
}

static void test_boot_buffer(void)
{
	struct boot_sample s = boot_good();
	struct boot_view v;
	size_t len;

	assert(boot_check((char *)&s + 4, sizeof(s) - 4, &v) == IMAGE_E_ALIGN);
	for (len = 0; len < sizeof(s); len++) {
		assert(boot_check(&s, len, &v) == IMAGE_E_SHORT);
	}
}

static void test_boot_cmdline(void)
{
	struct boot_sample s = boot_good();
	const char *p;
	size_t len;

	p = boot_cmdline_get(&s.header, "test", &len);
	assert(p && len == 5 && memcmp(p, "kcall", 5) == 0);
	p = boot_cmdline_get(&s.header, "testing", &len);
	assert(p && len == 1 && *p == '1');
	p = boot_cmdline_get(&s.header, "empty", &len);
	assert(p && len == 0);
	assert(boot_cmdline_get(&s.header, "x", &len) == NULL);
	assert(boot_cmdline_get(&s.header, "est", &len) == NULL);
}

static void test_error_texts(void)
{
	int e;

	for (e = 0; e < _IMAGE_E_N; e++) {
		assert(image_error_text(e) && image_error_text(e)[0]);
	}
	assert(image_error_text(_IMAGE_E_N));
}

int main(void)
{
	test_image_good();
	test_image_bad();
	test_image_buffer();
	test_boot_good();
	test_boot_bad();
	test_boot_buffer();
	test_boot_cmdline();
	test_error_texts();
	return 0;
}
