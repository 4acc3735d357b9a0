/*
 * State of every kind that a transfer must move: lists and cycles, arrays with inner
 * pointers, tagged unions, functions, literals, rows of a constant table, pointers of no
 * type. The sum kept at building time is over contents and over which object each pointer
 * leads to, never over addresses.
 */
#include "osd/suites/assist/priv.h"

#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/suites/assist/zoo_types.h"

#define ZOO_PAIRS_MAX 6u

static uint64_t mix_add(uint64_t sum, uint64_t value)
{
	return (sum + value) * 0x9e3779b97f4a7c15ull;
}

static uint64_t mix_xor(uint64_t sum, uint64_t value)
{
	return (sum ^ value) * 0xc2b2ae3d27d4eb4full;
}

static const zoo_mix_t zoo_mixes[] = {mix_add, mix_xor};
static const struct zoo_species zoo_species[] = {ZOO_SPECIES};
static const char *const zoo_labels[] = {"ape", "bear", "crane, the grey one"};

static struct zoo_node *zoo_list;
static struct zoo_node zoo_fixed[3];
static struct zoo_node *zoo_favourite; /* interior of zoo_fixed, or a heap node */
static uint32_t zoo_n_nodes;
static uint64_t zoo_sum_kept;
static uint64_t zoo_random_state STATE_SKIP;

/* xorshift64* (Vigna, 2014). */
static uint64_t zoo_draw(uint64_t below)
{
	zoo_random_state ^= zoo_random_state >> 12;
	zoo_random_state ^= zoo_random_state << 25;
	zoo_random_state ^= zoo_random_state >> 27;
	return (zoo_random_state * 0x2545f4914f6cdd1dull >> 20) % below;
}

static void zoo_free_parts(struct zoo_node *node)
{
	heap_free(node->pairs);
	if (node->kind == ZOO_TEXT) {
		heap_free(node->value.text);
	}
}

static void zoo_clear(void)
{
	while (zoo_list != NULL) {
		struct zoo_node *node = zoo_list;

		zoo_list = node->next;
		zoo_free_parts(node);
		heap_free(node);
	}
	for (size_t i = 0; i < 3; i++) {
		zoo_free_parts(&zoo_fixed[i]);
	}
	memset(zoo_fixed, 0, sizeof(zoo_fixed));
	zoo_n_nodes = 0;
}

static struct zoo_node *zoo_nth(uint64_t n)
{
	struct zoo_node *node = zoo_list;

	if (n < 3) {
		return &zoo_fixed[n];
	}
	for (n -= 3; n > 0 && node != NULL; n--) {
		node = node->next;
	}
	return node;
}

static err_t zoo_fill_pairs(struct zoo_node *node)
{
	node->n_pairs = 1 + (uint32_t)zoo_draw(ZOO_PAIRS_MAX);
	node->pairs = heap_new_n(struct zoo_pair, node->n_pairs);
	if (node->pairs == NULL) {
		node->n_pairs = 0;
		return E_NOMEM;
	}
	for (uint32_t i = 0; i < node->n_pairs; i++) {
		node->pairs[i].small = (uint16_t)zoo_draw(65536);
		node->pairs[i].large = (uint32_t)zoo_draw(1u << 31);
	}
	node->inner = node->pairs + zoo_draw(node->n_pairs + 1);
	return E_OK;
}

static err_t zoo_fill_value(struct zoo_node *node)
{
	enum zoo_kind kind = (enum zoo_kind)zoo_draw(ZOO_KIND_N);

	switch (kind) {
	case ZOO_NUMBER:
		node->value.number = zoo_draw(~0ull);
		break;
	case ZOO_TEXT:
		node->value.text = heap_new_n(char, 16);
		if (node->value.text == NULL) {
			return E_NOMEM;
		}
		memset(node->value.text, 'a' + (int)zoo_draw(26), 15);
		node->value.text[15] = '\0';
		break;
	case ZOO_NODE:
		node->value.node = zoo_nth(zoo_draw(3));
		break;
	case ZOO_NOTHING:
	case ZOO_KIND_N:
		break;
	}
	node->kind = kind;
	return E_OK;
}

static void zoo_fill_anything(struct zoo_node *node)
{
	switch (zoo_draw(4)) {
	case 0:
		node->anything = NULL;
		break;
	case 1:
		node->anything = &node->pairs[0];
		break;
	case 2:
		node->anything = &zoo_fixed[1];
		break;
	default:
		node->anything = node;
	}
}

static err_t zoo_fill(struct zoo_node *node)
{
	err_t r = zoo_fill_pairs(node);

	if (r == E_OK) {
		r = zoo_fill_value(node);
	}
	if (r != E_OK) {
		return r;
	}
	node->number = (uint32_t)zoo_draw(1u << 31);
	node->mix = zoo_mixes[zoo_draw(2)];
	node->label = zoo_labels[zoo_draw(3)];
	node->species = &zoo_species[zoo_draw(3)];
	node->other = zoo_nth(zoo_draw(3 + (zoo_n_nodes < 8 ? zoo_n_nodes : 8)));
	zoo_fill_anything(node);
	for (size_t i = 0; i < sizeof(node->bytes); i++) {
		node->bytes[i] = (uint8_t)zoo_draw(256);
	}
	return E_OK;
}

static err_t zoo_add(void)
{
	struct zoo_node *node = heap_new(struct zoo_node);

	if (node == NULL) {
		return E_NOMEM;
	}
	memset(node, 0, sizeof(*node));
	node->next = zoo_list;
	zoo_list = node;
	zoo_n_nodes++;
	return zoo_fill(node);
}

/*
 * A number for the object that a pointer leads to: its own number, so
 * that addresses do not matter.
 */
static uint64_t zoo_identity(const struct zoo_node *node)
{
	return node == NULL ? 1 : node->number;
}

static uint64_t zoo_sum_value(const struct zoo_node *node)
{
	switch (node->kind) {
	case ZOO_NUMBER:
		return node->value.number;
	case ZOO_TEXT:
		return strlen(node->value.text) * 256 + (uint8_t)node->value.text[3];
	case ZOO_NODE:
		return zoo_identity(node->value.node);
	case ZOO_NOTHING:
	case ZOO_KIND_N:
		break;
	}
	return 7;
}

static uint64_t zoo_sum_anything(const struct zoo_node *node)
{
	if (node->anything == node) {
		return 11;
	}
	if (node->anything == node->pairs) {
		return 12;
	}
	if (node->anything == &zoo_fixed[1]) {
		return 13;
	}
	return node->anything == NULL ? 14 : 15;
}

static uint64_t zoo_sum_node(uint64_t sum, const struct zoo_node *node)
{
	sum = node->mix(sum, node->number);
	for (uint32_t i = 0; i < node->n_pairs; i++) {
		sum = node->mix(sum, node->pairs[i].small + ((uint64_t)node->pairs[i].large << 16));
	}
	sum = node->mix(sum, (uint64_t)(node->inner - node->pairs));
	sum = node->mix(sum, zoo_sum_value(node));
	sum = node->mix(sum, zoo_identity(node->other));
	sum = node->mix(sum, zoo_sum_anything(node));
	for (const char *c = node->label; *c != '\0'; c++) {
		sum = node->mix(sum, (uint8_t)*c);
	}
	sum = node->mix(sum, node->species->n_legs + 256 * (uint8_t)node->species->name[0]);
	for (size_t i = 0; i < sizeof(node->bytes); i++) {
		sum = node->mix(sum, node->bytes[i]);
	}
	return sum;
}

static void zoo_sum_all(struct zoo_sum *ret_sum)
{
	uint64_t sum = zoo_identity(zoo_favourite);
	uint64_t n = 0;

	for (const struct zoo_node *node = zoo_list; node != NULL; node = node->next) {
		sum = zoo_sum_node(sum, node);
		n++;
	}
	for (size_t i = 0; i < 3 && zoo_fixed[i].mix != NULL; i++) {
		sum = zoo_sum_node(sum, &zoo_fixed[i]);
	}
	*ret_sum = (struct zoo_sum){sum, n};
}

err_t zoo_build(uint64_t seed, uint32_t n_nodes)
{
	struct zoo_sum sum;
	err_t r = E_OK;

	zoo_clear();
	zoo_random_state = seed | 1;
	for (size_t i = 0; i < 3 && r == E_OK; i++) {
		r = zoo_fill(&zoo_fixed[i]);
	}
	for (uint32_t i = 0; i < n_nodes && r == E_OK; i++) {
		r = zoo_add();
	}
	zoo_favourite = zoo_nth(zoo_draw(3 + (n_nodes < 8 ? n_nodes : 8)));
	zoo_sum_all(&sum);
	zoo_sum_kept = sum.checksum;
	return r;
}

err_t zoo_check(struct zoo_sum *ret_sum)
{
	struct zoo_sum sum;

	zoo_sum_all(&sum);
	if (ret_sum != NULL) {
		*ret_sum = sum;
	}
	if (zoo_n_nodes == 0) {
		return E_OK;
	}
	return sum.checksum == zoo_sum_kept && sum.n_nodes == zoo_n_nodes ? E_OK : E_CHECK;
}

void zoo_damage(void)
{
	zoo_fixed[0].other = (struct zoo_node *)0x123456789000ull;
}

const void *zoo_object(void)
{
	return zoo_list;
}
