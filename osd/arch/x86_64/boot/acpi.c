/*
 * ACPI, as much of it as names the CPUs: from the root pointer, which the starter gives, to the root
 * table, to the one that lists interrupt controllers (MADT), to its entries for local APICs.
 *
 * Firmware wrote all of it and nothing here trusts it with more than being read: a table that lies where
 * none can, or is not whole, is refused, and the log says so; then the boot CPU is the only one.
 * Whatever lies outside a table is not looked at, and entries that make no sense are not there.
 */
#include "osd/arch/x86_64/boot/acpi.h"
#include "osd/arch/arch.h"
#include "osd/arch/x86_64/mmu/kmap.h"

struct acpi_root {
	char signature[8];
	uint8_t checksum, oem[6], revision;
	uint32_t rsdt;
	uint32_t bytes;
	uint64_t xsdt;
	uint8_t all_checksum, reserved[3];
} __attribute__((packed));

struct acpi_header {
	char signature[4];
	uint32_t bytes;
	uint8_t rest[28];
} __attribute__((packed));

#define ACPI_BYTES_MAX 65536u /* of a table that is read */
#define ACPI_END (1ull << 36) /* each CPU can address so much */
#define ROOT_BYTES 20u        /* that the first checksum of the root pointer is of */
#define ROOT_REVISION_XSDT 2u
#define MADT_ENTRIES 44u /* where they begin */
#define MADT_LOCAL_APIC 0u
#define MADT_USABLE 1u

struct madt_entry {
	uint8_t kind, bytes;
	/* Of MADT_LOCAL_APIC. */
	uint8_t processor, id;
	uint32_t flags;
} __attribute__((packed));

static bool acpi_is(const char *signature, const char *wanted, uint32_t n)
{
	return __builtin_memcmp(signature, wanted, n) == 0;
}

/* A checksum makes the bytes of a table add up to 0. */
static bool acpi_adds_up(paddr_t pa, uint32_t n)
{
	uint8_t sum = 0, bytes[64];

	for (uint32_t at = 0, part; at < n; at += part) {
		part = n - at < sizeof(bytes) ? n - at : sizeof(bytes);
		kmap_read(pa + at, bytes, part);
		for (uint32_t i = 0; i < part; i++) {
			sum = (uint8_t)(sum + bytes[i]);
		}
	}
	return sum == 0;
}

static bool acpi_header_read(paddr_t pa, struct acpi_header *ret)
{
	if (pa > ACPI_END - ACPI_BYTES_MAX) {
		return false;
	}
	kmap_read(pa, ret, sizeof(*ret));
	return ret->bytes >= sizeof(*ret) && ret->bytes <= ACPI_BYTES_MAX;
}

static bool acpi_table_read(const char *name, paddr_t pa, struct acpi_header *ret)
{
	if (acpi_header_read(pa, ret) && acpi_adds_up(pa, ret->bytes)) {
		return true;
	}
	log_printf("kernel: ACPI: no valid %s at %lx\n", name, pa);
	return false;
}

/* The first table of this signature that the root table names, whose entries have `width` bytes; 0: none. */
static paddr_t acpi_table_find(paddr_t root, uint32_t width, const char *signature)
{
	struct acpi_header header, table;

	if (!acpi_table_read("root table", root, &header)) {
		return 0;
	}
	for (uint32_t at = sizeof(header); at + width <= header.bytes; at += width) {
		paddr_t pa = 0;

		kmap_read(root + at, &pa, width);
		if (acpi_header_read(pa, &table) && acpi_is(table.signature, signature, 4)) {
			return pa;
		}
	}
	log_printf("kernel: ACPI: the root table at %lx names no %s\n", root, signature);
	return 0;
}

static bool acpi_root_read(paddr_t rsdp, struct acpi_root *ret)
{
	if (rsdp > ACPI_END - sizeof(*ret)) {
		return false;
	}
	kmap_read(rsdp, ret, sizeof(*ret));
	return acpi_is(ret->signature, "RSD PTR ", sizeof(ret->signature)) &&
	       acpi_adds_up(rsdp, ROOT_BYTES) &&
	       (ret->revision < ROOT_REVISION_XSDT || acpi_adds_up(rsdp, sizeof(*ret)));
}

static paddr_t acpi_madt_find(paddr_t rsdp)
{
	struct acpi_root root;

	if (rsdp == 0) {
		return 0;
	}
	if (!acpi_root_read(rsdp, &root)) {
		log_printf("kernel: ACPI: no valid root pointer at %lx\n", rsdp);
		return 0;
	}
	if (root.revision >= ROOT_REVISION_XSDT && root.xsdt != 0) {
		return acpi_table_find(root.xsdt, sizeof(root.xsdt), "APIC");
	}
	return acpi_table_find(root.rsdt, sizeof(root.rsdt), "APIC");
}

/* One that can be started, and that no entry before has named. */
static bool acpi_is_cpu(const struct madt_entry *entry, const uint8_t *ids, uint32_t n)
{
	if (entry->kind != MADT_LOCAL_APIC || entry->bytes < sizeof(*entry) ||
	        !(entry->flags & MADT_USABLE)) {
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (ids[i] == entry->id) {
			return false;
		}
	}
	return true;
}

uint32_t acpi_cpus(paddr_t rsdp, uint8_t *ids, uint32_t n)
{
	paddr_t madt = acpi_madt_find(rsdp);
	struct acpi_header header;
	struct madt_entry entry;
	uint32_t n_found = 0;

	if (madt == 0 || !acpi_table_read("MADT", madt, &header)) {
		return 0;
	}
	for (uint32_t at = MADT_ENTRIES; at + sizeof(entry) <= header.bytes && n_found < n;
	        at += entry.bytes) {
		kmap_read(madt + at, &entry, sizeof(entry));
		if (entry.bytes < 2) {
			break;
		}
		if (acpi_is_cpu(&entry, ids, n_found)) {
			ids[n_found++] = entry.id;
		}
	}
	return n_found;
}
