#pragma once
/* CRC-32C (Castagnoli), as in iSCSI: finds damage, not malice. */
#include <stddef.h>
#include <stdint.h>

/* Continue a checksum; crc is 0 at the start. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
