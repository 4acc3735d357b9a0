#pragma once
/* Types of the test service. */
#define STATE_NOTE(text) __attribute__((btf_decl_tag("state:" text)))

#define shape_new(T)                                                                               \
	({                                                                                         \
		static __typeof__(T) *lu_site_ __attribute__((section("lu_sites"), used));         \
		(__typeof__(T) *)shape_alloc(&lu_site_, sizeof(T));                                \
	})

enum shape_kind { SHAPE_NONE, SHAPE_NUMBER = 5, SHAPE_TEXT = -2 };

struct shape_limits {
	uint16_t low, high;
};

struct shape_record {
	struct shape_record *next;
	enum shape_kind kind;
	union {
		int64_t number STATE_NOTE("when=SHAPE_NUMBER");
		const char *text STATE_NOTE("when=SHAPE_TEXT");
	} u STATE_NOTE("tag=kind");
	struct {
		unsigned low : 3;
		unsigned high : 29;
	} small;
	volatile uint8_t bytes[4];
	double weight;
	void (*hook)(int);
	char tail[];
};

typedef void shape_function(struct shape_record *r);

void shape_grow(struct shape_record *r);
void shape_shrink(struct shape_record *r);
int shape_sum(const struct shape_record *r);

static inline void *shape_alloc(const void *site, size_t size)
{
	return (char *)site + size;
}
