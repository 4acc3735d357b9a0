/*
 * Which CPUs ACPI's tables name: valid tables of both generations, and such that firmware got wrong, each of
 * which is refused before anything is read that no CPU can address. Where no table is all bits are set.
 */
#undef NDEBUG
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "osd/arch/arch.h"
#include "osd/arch/x86_64/boot/acpi.h"
#include "osd/arch/x86_64/mmu/kmap.h"

#define BASE 0xe0000ull
#define RSDP BASE
#define RSDT (BASE + 0x100)
#define XSDT (BASE + 0x200)
#define OTHER (BASE + 0x300)
#define MADT (BASE + 0x400)
#define MADT_ENTRIES (MADT + 44)
#define ENTRY_BYTES 8u
#define WILD 0x7ff123456789a000ull
#define N_IDS 8u

static uint8_t memory[0x1000];
static char said[512];

void kmap_read(paddr_t pa, void *dst, uint64_t n)
{
	assert(n <= PAGE_SIZE && pa < 1ull << 36 && n <= (1ull << 36) - pa);
	for (uint64_t i = 0; i < n; i++) {
		((uint8_t *)dst)[i] = pa + i - BASE < sizeof(memory) ? memory[pa + i - BASE] : 0xff;
	}
}

void log_printf(const char *format, ...)
{
	size_t n = strlen(said);
	va_list args;

	va_start(args, format);
	vsnprintf(said + n, sizeof(said) - n, format, args);
	va_end(args);
}

static uint8_t *at(paddr_t pa)
{
	return memory + (pa - BASE);
}

static void put(paddr_t pa, uint64_t value, uint32_t bytes)
{
	memcpy(at(pa), &value, bytes);
}

/* Make n bytes at pa add up to 0, by the one at `checksum`. */
static void sum_up(paddr_t pa, uint32_t n, paddr_t checksum)
{
	uint8_t sum = 0;

	*at(checksum) = 0;
	for (uint32_t i = 0; i < n; i++) {
		sum = (uint8_t)(sum + at(pa)[i]);
	}
	*at(checksum) = (uint8_t)(0 - sum);
}

static void table(paddr_t pa, const char *signature, uint32_t bytes)
{
	memcpy(at(pa), signature, 4);
	put(pa + 4, bytes, 4);
	sum_up(pa, bytes, pa + 9);
}

static void root(uint32_t revision, uint64_t rsdt, uint64_t xsdt)
{
	memcpy(at(RSDP), "RSD PTR ", 8);
	put(RSDP + 15, revision, 1);
	put(RSDP + 16, rsdt, 4);
	put(RSDP + 20, 36, 4);
	put(RSDP + 24, xsdt, 8);
	sum_up(RSDP, 20, RSDP + 8);
	sum_up(RSDP, 36, RSDP + 32);
}

static void cpu(uint32_t index, uint32_t kind, uint32_t bytes, uint32_t id, uint32_t flags)
{
	paddr_t pa = MADT_ENTRIES + index * ENTRY_BYTES;

	put(pa, kind, 1);
	put(pa + 1, bytes, 1);
	put(pa + 3, id, 1);
	put(pa + 4, flags, 4);
}

/* CPUs 0, 3 and 5 of four entries; 4 is not usable. Both root tables name something else first. */
static void tables_make(uint32_t revision)
{
	memset(memory, 0, sizeof(memory));
	said[0] = '\0';
	root(revision, RSDT, XSDT);
	put(RSDT + 36, OTHER, 4);
	put(RSDT + 40, MADT, 4);
	put(XSDT + 36, OTHER, 8);
	put(XSDT + 44, MADT, 8);
	table(RSDT, "RSDT", 44);
	table(XSDT, "XSDT", 52);
	table(OTHER, "FACP", 36);
	cpu(0, 0, 8, 0, 1);
	cpu(1, 0, 8, 3, 1);
	cpu(2, 0, 8, 4, 0);
	cpu(3, 0, 8, 5, 1);
	table(MADT, "APIC", 44 + 4 * ENTRY_BYTES);
}

static uint32_t cpus(paddr_t rsdp, uint8_t *ids)
{
	memset(ids, 0xee, N_IDS);
	return acpi_cpus(rsdp, ids, N_IDS);
}

static void test_valid(void)
{
	uint8_t ids[N_IDS];

	for (uint32_t revision = 0; revision <= 2; revision += 2) {
		tables_make(revision);
		if (revision == 0) {
			put(XSDT, 0, 8); /* is not looked at */
		}
		assert(cpus(RSDP, ids) == 3 && ids[0] == 0 && ids[1] == 3 && ids[2] == 5);
		assert(acpi_cpus(RSDP, ids, 2) == 2 && ids[1] == 3);
		assert(said[0] == '\0');
	}
	assert(cpus(0, ids) == 0 && said[0] == '\0'); /* a machine without */
}

static void refused(paddr_t rsdp, const char *words)
{
	uint8_t ids[N_IDS];

	assert(cpus(rsdp, ids) == 0);
	if (strstr(said, words) == NULL) {
		fprintf(stderr, "said: %s instead of: %s\n", said, words);
		assert(0);
	}
}

static void test_root_pointer(void)
{
	tables_make(2);
	refused(WILD, "no valid root pointer at 7ff123456789a000");
	refused((1ull << 36) - 8, "no valid root pointer at ffffffff8");
	refused(0x1000, "no valid root pointer at 1000");
	*at(RSDP) = 'X';
	sum_up(RSDP, 20, RSDP + 8);
	refused(RSDP, "no valid root pointer at e0000");
	tables_make(2);
	*at(RSDP + 8) ^= 1;
	sum_up(RSDP, 36, RSDP + 32);
	refused(RSDP, "no valid root pointer");
	tables_make(2);
	*at(RSDP + 32) ^= 1; /* of the part that names the longer table */
	refused(RSDP, "no valid root pointer");
}

static void test_root_table(void)
{
	tables_make(2);
	root(2, RSDT, WILD);
	refused(RSDP, "no valid root table at 7ff123456789a000");
	tables_make(2);
	root(2, RSDT, (1ull << 36) - 16);
	refused(RSDP, "no valid root table at ffffffff0");
	tables_make(2);
	root(2, RSDT, 0x1000);
	refused(RSDP, "no valid root table at 1000");
	tables_make(2);
	*at(XSDT + 50) ^= 1;
	refused(RSDP, "no valid root table at e0200");
	tables_make(2);
	table(XSDT, "XSDT", 20); /* shorter than its own header */
	refused(RSDP, "no valid root table at e0200");
	tables_make(2);
	table(XSDT, "XSDT", 44); /* ends before it names the MADT */
	refused(RSDP, "the root table at e0200 names no APIC");
}

static void test_madt(void)
{
	tables_make(2);
	put(XSDT + 44, WILD, 8);
	table(XSDT, "XSDT", 52);
	refused(RSDP, "names no APIC");
	tables_make(2);
	*at(MADT_ENTRIES + 3) ^= 1;
	refused(RSDP, "no valid MADT at e0400");
	tables_make(2);
	put(MADT + 4, 0x100000, 4);
	refused(RSDP, "names no APIC");
}

/* Entries that cannot be: what stands before them counts. */
static void test_entries(void)
{
	uint8_t ids[N_IDS];

	tables_make(2);
	cpu(1, 0, 0, 3, 1); /* the next one would be this one again */
	table(MADT, "APIC", 44 + 4 * ENTRY_BYTES);
	assert(cpus(RSDP, ids) == 1 && ids[0] == 0);
	tables_make(2);
	cpu(1, 0, 8, 0, 1); /* named twice, it would be started twice */
	table(MADT, "APIC", 44 + 4 * ENTRY_BYTES);
	assert(cpus(RSDP, ids) == 2 && ids[1] == 5);
	tables_make(2);
	cpu(3, 0, 7, 5, 1); /* too short for what is read of it */
	table(MADT, "APIC", 44 + 4 * ENTRY_BYTES);
	assert(cpus(RSDP, ids) == 2 && ids[1] == 3);
	tables_make(2);
	cpu(1, 1, 8, 3, 1); /* something else */
	table(MADT, "APIC", 44 + 4 * ENTRY_BYTES);
	assert(cpus(RSDP, ids) == 2 && ids[1] == 5);
	tables_make(2);
	table(MADT, "APIC", 44 + 4 * ENTRY_BYTES - 1); /* ends within the last */
	assert(cpus(RSDP, ids) == 2 && ids[1] == 3);
}

/* Any one byte that is another makes a table that is refused, but for those that no checksum is of. */
static void test_any_byte(void)
{
	uint8_t ids[N_IDS];

	for (paddr_t pa = RSDP; pa < MADT + 44 + 4 * ENTRY_BYTES; pa++) {
		bool counts = pa < RSDP + 36 || (pa >= XSDT && pa < XSDT + 52) || pa >= MADT;

		tables_make(2);
		*at(pa) ^= 0x5a;
		assert((cpus(RSDP, ids) == 3) == !counts);
		assert((said[0] != '\0') == counts);
	}
}

int main(void)
{
	test_valid();
	test_root_pointer();
	test_root_table();
	test_madt();
	test_entries();
	test_any_byte();
	return 0;
}
