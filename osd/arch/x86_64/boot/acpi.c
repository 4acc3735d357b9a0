/*
 * ACPI, as much of it as names the CPUs: from the root pointer, which the starter gives, to the root
 * table, to the one that lists interrupt controllers (MADT), to its entries for local APICs.
 *
 * Firmware wrote all of it and nothing here trusts it with more than being read: whatever lies
 * outside a table is not looked at, and what makes no sense is not there.
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
} __attribute__((packed));

struct acpi_header {
	char signature[4];
	uint32_t bytes;
	uint8_t rest[28];
} __attribute__((packed));

#define ACPI_BYTES_MAX 65536u /* of a table that is read */
#define MADT_ENTRIES 44u      /* where they begin */
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

/* The table at pa, if it is one of a sane length. */
static bool acpi_header_read(paddr_t pa, struct acpi_header *ret)
{
	kmap_read(pa, ret, sizeof(*ret));
	return ret->bytes >= sizeof(*ret) && ret->bytes <= ACPI_BYTES_MAX;
}

/* The first table of this signature that the root table names, whose entries have `width` bytes; 0: none. */
static paddr_t acpi_table_find(paddr_t root, uint32_t width, const char *signature)
{
	struct acpi_header header, table;

	if (!acpi_header_read(root, &header)) {
		return 0;
	}
	for (uint32_t at = sizeof(header); at + width <= header.bytes; at += width) {
		paddr_t pa = 0;

		kmap_read(root + at, &pa, width);
		if (acpi_header_read(pa, &table) && acpi_is(table.signature, signature, 4)) {
			return pa;
		}
	}
	return 0;
}

static paddr_t acpi_madt_find(paddr_t rsdp)
{
	struct acpi_root root;

	if (rsdp == 0) {
		return 0;
	}
	kmap_read(rsdp, &root, sizeof(root));
	if (!acpi_is(root.signature, "RSD PTR ", sizeof(root.signature))) {
		return 0;
	}
	if (root.revision >= 2 && root.xsdt != 0) {
		return acpi_table_find(root.xsdt, sizeof(root.xsdt), "APIC");
	}
	return acpi_table_find(root.rsdt, sizeof(root.rsdt), "APIC");
}

uint32_t acpi_cpus(paddr_t rsdp, uint8_t *ids, uint32_t n)
{
	paddr_t madt = acpi_madt_find(rsdp);
	struct acpi_header header;
	struct madt_entry entry;
	uint32_t n_found = 0;

	if (madt == 0 || !acpi_header_read(madt, &header)) {
		return 0;
	}
	for (uint32_t at = MADT_ENTRIES; at + sizeof(entry) <= header.bytes && n_found < n;
	        at += entry.bytes) {
		kmap_read(madt + at, &entry, sizeof(entry));
		if (entry.bytes < 2) {
			break;
		}
		if (entry.kind == MADT_LOCAL_APIC && entry.flags & MADT_USABLE) {
			ids[n_found++] = entry.id;
		}
	}
	return n_found;
}
