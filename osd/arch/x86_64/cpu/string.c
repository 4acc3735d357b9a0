/* The four functions that the compiler may call, eight bytes an iteration where it can. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;
	size_t words = n / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	n %= 8;
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int value, size_t n)
{
	void *d = dst;
	size_t words = n / 8;
	uint64_t pattern = (uint8_t)value * 0x0101010101010101ull;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	n %= 8;
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(pattern) : "memory");
	return dst;
}

/* From the end downwards where the end of src lies in dst: a word is read before anything below it is written. */
void *memmove(void *dst, const void *src, size_t n)
{
	size_t words = n / 8;
	char *d = (char *)dst + n;
	const char *s = (const char *)src + n;

	if ((uintptr_t)dst <= (uintptr_t)src || (uintptr_t)dst >= (uintptr_t)src + n) {
		return memcpy(dst, src, n);
	}
	for (n %= 8; n > 0; n--) {
		*--d = *--s;
	}
	d -= 8;
	s -= 8;
	__asm__ volatile("std\n\trep movsq\n\tcld" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n > 0; n--, x++, y++) {
		if (*x != *y) {
			return *x - *y;
		}
	}
	return 0;
}
