/* What DS should hold, as version numbers: the bytes of a value follow from its key and version. */
#include "osd/suites/load/priv.h"

#include <string.h>

static struct {
	uint32_t version;
	bool is_present;
} shadow_keys[KEYS_MAX];
static uint32_t shadow_n, shadow_value_bytes;

void shadow_start(uint32_t n_keys, uint32_t value_bytes)
{
	shadow_n = n_keys < KEYS_MAX ? n_keys : KEYS_MAX;
	shadow_value_bytes = value_bytes < VALUE_MAX ? value_bytes : VALUE_MAX;
}

uint32_t shadow_n_keys(void)
{
	return shadow_n;
}

bool shadow_is_present(uint32_t n)
{
	return shadow_keys[n].is_present;
}

void shadow_key(uint32_t n, char key[12])
{
	static const char digits[] = "0123456789abcdef";

	memcpy(key, "load.", 5);
	for (int i = 0; i < 7; i++) {
		key[11 - i] = digits[(n >> (4 * i)) & 15];
	}
}

/* One step of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t shadow_mix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t shadow_value(uint32_t n, uint8_t value[VALUE_MAX], enum ds_type *ret_type)
{
	static const enum ds_type types[] = {
	        DS_TYPE_BYTES, DS_TYPE_U64, DS_TYPE_BYTES, DS_TYPE_STRING};
	uint64_t state = (uint64_t)n << 32 | shadow_keys[n].version;
	enum ds_type type = types[n % 4];
	uint32_t bytes = type == DS_TYPE_U64 ? sizeof(uint64_t) : shadow_value_bytes;

	for (uint32_t i = 0; i < bytes; i += 8) {
		uint64_t word = shadow_mix(&state);

		memcpy(value + i, &word, bytes - i < 8 ? bytes - i : 8);
	}
	*ret_type = type;
	return bytes;
}

void shadow_next(uint32_t n)
{
	shadow_keys[n].version++;
}

void shadow_published(uint32_t n)
{
	shadow_keys[n].is_present = true;
}

void shadow_deleted(uint32_t n)
{
	shadow_keys[n].is_present = false;
}

void shadow_forget(void)
{
	memset(shadow_keys, 0, sizeof(shadow_keys));
}
