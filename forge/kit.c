/* Loading release kits; see kit.h. */
#include "forge/kit.h"

#include <string.h>

#include "forge/draw.h"
#include "forge/report.h"
#include "proto/envelope/envelope.h"

#define KIT_HEADER "luforge kit 1"

void kit_fini(struct kit *kit)
{
	size_t i;

	for (i = 0; i < kit->n_objects; i++) {
		free(kit->objects[i]);
	}
	free(kit->path);
	free(kit->objects);
	free(kit->vector);
	buf_fini(&kit->manifest_bytes);
	buf_fini(&kit->state);
	buf_fini(&kit->symbols_text);
	order_fini(&kit->order);
	*kit = (struct kit){0};
}

static int kit_hash_file(struct buf *all, const char *dir, const char *name)
{
	MEM_FREE char *path = mem_printf("%s/%s", dir, name);
	BUF_CLEANUP struct buf b = {0};
	uint64_t len;
	int r = buf_read_file(&b, path);

	if (r == 0) {
		len = b.len;
		buf_add(all, &len, sizeof(len));
		buf_add(all, b.bytes, b.len);
	}
	return r;
}

int kit_objects_hash(const char *path, const char *const objects[], size_t n_objects,
        uint8_t ret_hash[TOOL_HASH_SIZE])
{
	static const char *const texts[] = {"recipe", "order", "symbols"};
	BUF_CLEANUP struct buf all = {0};
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]) && r == 0; i++) {
		r = kit_hash_file(&all, path, texts[i]);
	}
	for (i = 0; i < n_objects && r == 0; i++) {
		r = kit_hash_file(&all, path, objects[i]);
	}
	return r < 0 ? r : tool_hash(all.bytes, all.len, ret_hash);
}

static int kit_read_file(const struct kit *kit, const char *name, struct buf *ret_b)
{
	MEM_FREE char *path = mem_printf("%s/%s", kit->path, name);

	return buf_read_file(ret_b, path);
}

static int kit_refuse(const struct kit *kit, const char *what)
{
	return report_refuse(kit->path, "%s; make the kit again", what);
}

static int kit_read_manifest(struct kit *kit)
{
	int r = kit_read_file(kit, "manifest", &kit->manifest_bytes);

	if (r < 0) {
		return r;
	}
	kit->manifest = (const void *)kit->manifest_bytes.bytes;
	if (kit->manifest_bytes.len != sizeof(*kit->manifest) ||
	        kit_manifest_check(kit->manifest) != ENVELOPE_OK) {
		return kit_refuse(kit, "the manifest is damaged");
	}
	return 0;
}

static int kit_read_state(struct kit *kit)
{
	uint8_t hash[TOOL_HASH_SIZE];
	int r = kit_read_file(kit, "state", &kit->state);

	if (r == 0) {
		r = tool_hash(kit->state.bytes, kit->state.len, hash);
	}
	if (r == 0 && memcmp(hash, kit->manifest->state_hash, sizeof(hash)) != 0) {
		return kit_refuse(kit, "the state description is not the manifest's");
	}
	return r;
}

static int kit_read_recipe_line(struct kit *kit, const char *line, unsigned int number)
{
	unsigned long recipe;

	if (number == 1) {
		return strcmp(line, KIT_HEADER) == 0
		               ? 0
		               : kit_refuse(kit, "the recipe has an unknown format");
	}
	if (strncmp(line, "object ", 7) == 0) {
		MEM_PUSH(kit->objects, kit->n_objects, kit->objects_capacity);
		kit->objects[kit->n_objects++] = mem_strdup(line + 7);
	} else if (strncmp(line, "recipe ", 7) == 0) {
		recipe = strtoul(line + 7, NULL, 10);
		if (recipe != DRAW_RECIPE) {
			return kit_refuse(kit, "the kit asks for another recipe");
		}
	}
	return 0;
}

static int kit_read_recipe(struct kit *kit)
{
	BUF_CLEANUP struct buf text = {0};
	unsigned int number = 0;
	char *next, *line;
	int r;

	r = kit_read_file(kit, "recipe", &text);
	next = (char *)text.bytes;
	while (r == 0 && (line = strsep(&next, "\n"))) {
		r = kit_read_recipe_line(kit, line, ++number);
	}
	return r;
}

static int kit_read_symbols(struct kit *kit)
{
	char *next, *line;
	int r = kit_read_file(kit, "symbols", &kit->symbols_text);

	next = (char *)kit->symbols_text.bytes;
	while (r == 0 && (line = strsep(&next, "\n"))) {
		if (*line) {
			MEM_PUSH(kit->vector, kit->n_vector, kit->vector_capacity);
			kit->vector[kit->n_vector++] = line;
		}
	}
	return r;
}

static int kit_check_objects(const struct kit *kit)
{
	uint8_t hash[TOOL_HASH_SIZE];
	int r = kit_objects_hash(
	        kit->path, (const char *const *)kit->objects, kit->n_objects, hash);

	if (r == 0 && memcmp(hash, kit->manifest->objects_hash, sizeof(hash)) != 0) {
		return kit_refuse(kit, "objects or recipe are not the manifest's");
	}
	return r;
}

int kit_read_head(struct kit *ret_kit, const char *path)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {.path = mem_strdup(path)};
	int r = kit_read_manifest(&kit);

	if (r == 0) {
		r = kit_read_state(&kit);
	}
	if (r == 0) {
		*ret_kit = kit;
		kit = (struct kit){0};
	}
	return r;
}

static int kit_read_rest(struct kit *kit)
{
	MEM_FREE char *order = mem_printf("%s/order", kit->path);
	int r = kit_read_recipe(kit);

	if (r == 0) {
		r = kit_check_objects(kit);
	}
	if (r == 0) {
		r = kit_read_symbols(kit);
	}
	return r < 0 ? r : order_parse(&kit->order, order);
}

int kit_read(struct kit *ret_kit, const char *path)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	int r = kit_read_head(&kit, path);

	if (r == 0) {
		r = kit_read_rest(&kit);
	}
	if (r == 0) {
		*ret_kit = kit;
		kit = (struct kit){0};
	}
	return r;
}
