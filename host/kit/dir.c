/*
 * Reading a kit. The order is that of trust, and nothing is used before what answers for it
 * was judged:
 *
 *   1. manifest.signed: a kit's part, signed by a release key of the root that the caller has
 *   2. manifest, if it is there: the same bytes; without a demand, a manifest by its own rules
 *   3. files, the list: its hash is in the manifest; its form is the one form (list.c)
 *   4. names in the directory: the list's, and nothing else
 *   5. every file: regular, of the list's length and hash, read once into memory
 *   6. the form of a kit: what every kit has, the description and the flat kit that the manifest
 *      names, a flat kit of this service that the linker's checker accepts
 *
 * Afterwards only memory is used. Not judged here: whose the root is (its caller knows),
 * whether the release is below a floor, what the pieces do.
 */
#include "host/kit/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/kit/priv.h"
#include "proto/envelope/envelope_crypto.h"

/* A kit's part with all its signatures is a fraction of it; more is not read. */
#define KIT_PART_MAX 8192u

static const char *const kit_needed[] = {"flat", "names", "recipe", "service", "state"};

void kit_dir_fini(struct kit_dir *dir)
{
	size_t i;

	for (i = 0; dir->bytes && i < dir->list.n; i++) {
		free(dir->bytes[i]);
	}
	free(dir->bytes);
	free(dir->list_bytes);
	free(dir->signed_part);
	kit_list_fini(&dir->list);
	*dir = (struct kit_dir){0};
}

/* A time that is over is the root's to give anew; everything else is the kit's. */
static const char *kit_reason_remedy(enum envelope_reason reason)
{
	return reason == ENVELOPE_KEY_EXPIRED || reason == ENVELOPE_ROOT_EXPIRED
	               ? "sign the next root with `luctl keys renew` where root.pem is"
	               : "sign the kit with a release key of this keyring (`luctl release sign "
	                 "KIT`), then `luctl release add KIT`";
}

/* A reason of the envelope as a fault: its sentence, its name, what to do. */
static int kit_fault_reason(
        struct kit_fault *ret_fault, enum envelope_reason reason, const char *dir, const char *name)
{
	(void)kit_fault_file(ret_fault, -EKEYREJECTED, dir, name);
	(void)kit_fault_set(ret_fault, -EKEYREJECTED, ret_fault->place, "%s (%s); %s",
	        envelope_reason_text(reason), envelope_reason_name(reason),
	        kit_reason_remedy(reason));
	ret_fault->reason = reason;
	return -EKEYREJECTED;
}

/*
 * The root must be one that signed itself; whose it is, its caller knows. Its expiry is
 * judged with the kit's signature, at demand->time, so no time is given here.
 */
static enum envelope_reason kit_root_open(
        const struct kit_demand *demand, struct envelope_part *ret_root)
{
	enum envelope_reason reason = envelope_part_open(demand->root, demand->root_len, ret_root);
	struct trust trust = {0};

	if (reason == ENVELOPE_OK &&
	        (ret_root->kind != ENVELOPE_ROOT || ret_root->size != demand->root_len)) {
		return ENVELOPE_MALFORMED;
	}
	if (reason == ENVELOPE_OK) {
		memcpy(trust.root_pub, ((const struct root_manifest *)ret_root->manifest)->root_pub,
		        sizeof(trust.root_pub));
		reason = envelope_verify_root(ret_root, &trust);
	}
	return reason;
}

/*
 * The signed manifest, to its last byte, by a release key of the root. *ret_part points into
 * dir->signed_part.
 */
static enum envelope_reason kit_part_verify(
        const struct kit_dir *dir, const struct kit_demand *demand, struct envelope_part *ret_part)
{
	struct envelope_part root;
	enum envelope_reason reason = kit_root_open(demand, &root);

	if (reason == ENVELOPE_OK) {
		reason = envelope_part_open(dir->signed_part, dir->signed_len, ret_part);
	}
	if (reason == ENVELOPE_OK &&
	        (ret_part->kind != ENVELOPE_KIT || ret_part->size != dir->signed_len)) {
		reason = ENVELOPE_MALFORMED;
	}
	return reason == ENVELOPE_OK
	               ? envelope_verify_kit(ret_part, (const void *)root.manifest, demand->time)
	               : reason;
}

/*
 * What was signed becomes dir->manifest; all that follows is compared with it. Last, is it
 * the release that was asked for?
 */
static int kit_signed_verify(struct kit_dir *dir, const char *path, const struct kit_demand *demand,
        struct kit_fault *ret_fault)
{
	struct envelope_part part;
	uint8_t release_id[64];
	enum envelope_reason reason = kit_part_verify(dir, demand, &part);

	if (reason != ENVELOPE_OK) {
		return kit_fault_reason(ret_fault, reason, path, KIT_SIGNED);
	}
	memcpy(&dir->manifest, part.manifest, sizeof(dir->manifest));
	memcpy(dir->key_id, part.signatures[0].key_id, sizeof(dir->key_id));
	kit_manifest_release_id(&dir->manifest, release_id);
	if (demand->release_id && memcmp(release_id, demand->release_id, 64) != 0) {
		return kit_fault_set(ret_fault, -EBADMSG, path,
		        "another release than the one asked for; add the release again");
	}
	return 0;
}

/*
 * A manifest of another format is told apart by its magic before anything is verified: to sign
 * such a kit again would not help.
 */
static int kit_check_format(
        const uint8_t *manifest, size_t len, const char *path, struct kit_fault *ret_fault)
{
	static const char prefix[] = {'S', 'A', 'M', 'K', 'I', 'T'};

	if (len < sizeof(KIT_MAGIC) || memcmp(manifest, prefix, sizeof(prefix)) != 0 ||
	        memcmp(manifest, KIT_MAGIC, sizeof(KIT_MAGIC)) == 0) {
		return 0;
	}
	return kit_fault_set(ret_fault, -EBADMSG, path,
	        "a kit of another format (%.7s; this is a program for " KIT_MAGIC
	        "); make the kit again with the luforge of this version, and sign it",
	        (const char *)manifest);
}

/* Missing is a fault of its own: the remedy is to sign, not to make again. */
static int kit_read_signed(struct kit_dir *dir, int fd, const char *path,
        const struct kit_demand *demand, struct kit_fault *ret_fault)
{
	int r = kit_file_load(
	        fd, KIT_SIGNED, KIT_PART_MAX, KIT_LENGTH_ANY, &dir->signed_part, &dir->signed_len);

	if (r < 0) {
		(void)kit_fault_file(ret_fault, r, path, KIT_SIGNED);
		return r != -ENOENT ? r
		                    : kit_fault_set(ret_fault, r, ret_fault->place,
		                              "the kit is not signed; sign it with `luctl "
		                              "release sign`");
	}
	if (dir->signed_len > sizeof(struct envelope_part_header)) {
		r = kit_check_format(dir->signed_part + sizeof(struct envelope_part_header),
		        dir->signed_len - sizeof(struct envelope_part_header), path, ret_fault);
	}
	return r < 0 ? r : kit_signed_verify(dir, path, demand, ret_fault);
}

/* The unsigned manifest: all there is without a demand, and never another one with it. */
static int kit_read_manifest(
        struct kit_dir *dir, int fd, const char *path, struct kit_fault *ret_fault)
{
	_cleanup_(kit_bytes_freep) uint8_t *bytes = NULL;
	size_t len;
	int r = kit_file_load(
	        fd, KIT_MANIFEST, sizeof(dir->manifest), KIT_LENGTH_ANY, &bytes, &len);

	if (r == -ENOENT && dir->signed_part) {
		return 0;
	}
	if (r < 0) {
		return kit_fault_file(ret_fault, r, path, KIT_MANIFEST);
	}
	if (dir->signed_part) {
		return len == sizeof(dir->manifest) && memcmp(bytes, &dir->manifest, len) == 0
		               ? 0
		               : kit_fault_set(ret_fault, -EBADMSG, path,
		                         "its manifest is not the one that was signed; make the "
		                         "kit again");
	}
	r = kit_check_format(bytes, len, path, ret_fault);
	if (r < 0) {
		return r;
	}
	if (len == sizeof(dir->manifest)) {
		memcpy(&dir->manifest, bytes, len);
	}
	if (len != sizeof(dir->manifest) || kit_manifest_check(&dir->manifest) != ENVELOPE_OK) {
		return kit_fault_set(
		        ret_fault, -EBADMSG, path, "the manifest is damaged; make the kit again");
	}
	return 0;
}

/* The hash first, then the parser: nobody but the signer can choose its input. */
static int kit_read_list(struct kit_dir *dir, int fd, const char *path, struct kit_fault *ret_fault)
{
	uint8_t hash[64];
	int r = kit_file_load(
	        fd, KIT_LIST, KIT_LIST_BYTES_MAX, KIT_LENGTH_ANY, &dir->list_bytes, &dir->list_len);

	if (r < 0) {
		return kit_fault_file(ret_fault, r, path, KIT_LIST);
	}
	envelope_hash(dir->list_bytes, dir->list_len, hash);
	if (memcmp(hash, dir->manifest.files_hash, sizeof(hash)) != 0) {
		return kit_fault_set(ret_fault, -EBADMSG, path,
		        "its list of files is not the manifest's; make the kit again");
	}
	return kit_list_parse(&dir->list, dir->list_bytes, dir->list_len, path, ret_fault);
}

/*
 * The kit's own three files, and those of the list. A stray file is refused although nobody
 * would read it: it is not what was released.
 */
static int kit_known_file(struct kit_walk *walk, int dir_fd, const char *path)
{
	if (strcmp(path, KIT_LIST) == 0 || strcmp(path, KIT_MANIFEST) == 0 ||
	        strcmp(path, KIT_SIGNED) == 0 || kit_list_find(walk->list, path)) {
		return 0;
	}
	(void)kit_fault_file(walk->fault, -EBADMSG, walk->place, path);
	return kit_fault_set(walk->fault, -EBADMSG, walk->fault->place,
	        "not in the kit's list of files; remove it, or make the kit again");
}

/*
 * Length and hash of every file; a fault names the file. What was read so far goes with
 * kit_dir_fini().
 */
static int kit_read_files(
        struct kit_dir *dir, int fd, const char *path, struct kit_fault *ret_fault)
{
	uint8_t hash[64];
	size_t i, len;
	int r;

	dir->bytes = calloc(dir->list.n + 1, sizeof(*dir->bytes));
	if (!dir->bytes) {
		return kit_fault_set(ret_fault, -ENOMEM, path, "out of memory");
	}
	for (i = 0; i < dir->list.n; i++) {
		const struct kit_list_entry *entry = &dir->list.entries[i];

		r = kit_file_load(
		        fd, entry->path, KIT_FILE_BYTES_MAX, entry->len, &dir->bytes[i], &len);
		if (r == 0) {
			envelope_hash(dir->bytes[i], len, hash);
			r = memcmp(hash, entry->hash, sizeof(hash)) == 0 ? 0 : -EBADMSG;
		}
		if (r < 0) {
			return kit_fault_file(ret_fault, r, path, entry->path);
		}
	}
	return 0;
}

const uint8_t *kit_dir_file(const struct kit_dir *dir, const char *path, size_t *ret_len)
{
	const struct kit_list_entry *entry = kit_list_find(&dir->list, path);

	if (!entry) {
		return NULL;
	}
	*ret_len = entry->len;
	return dir->bytes[entry - dir->list.entries];
}

/* A recipe is for people; its head says which form the rest of the kit has. */
static int kit_check_recipe(
        const struct kit_dir *dir, const char *path, struct kit_fault *ret_fault)
{
	size_t len;
	const char *text = (const char *)kit_dir_file(dir, "recipe", &len);

	return strncmp(text, KIT_RECIPE_HEAD, strlen(KIT_RECIPE_HEAD)) == 0
	               ? 0
	               : kit_fault_set(ret_fault, -EBADMSG, path,
	                         "the recipe has an unknown format; make the kit again");
}

/* Is the file of the list the one whose length and hash the manifest has beside the list's? */
static bool kit_file_is_named(
        const struct kit_dir *dir, const char *name, uint64_t len, const uint8_t hash[64])
{
	const struct kit_list_entry *entry = kit_list_find(&dir->list, name);

	return entry->len == len && memcmp(entry->hash, hash, 64) == 0;
}

/* What variants are made from: a flat kit that every linker takes, of this very service. */
static int kit_check_flat(struct kit_dir *dir, const char *path, struct kit_fault *ret_fault)
{
	const struct kit_manifest *manifest = &dir->manifest;
	enum flat_error error;
	size_t len = 0;
	const uint8_t *bytes = kit_dir_file(dir, "flat", &len);

	if (!kit_file_is_named(dir, "flat", manifest->flat_len, manifest->flat_hash)) {
		return kit_fault_set(ret_fault, -EBADMSG, path,
		        "the flat kit is not the manifest's; make the kit again");
	}
	error = flat_check(bytes, len, &dir->flat);
	if (error != FLAT_OK) {
		return kit_fault_set(ret_fault, -EBADMSG, path,
		        "the flat kit is damaged: %s; make the kit again", flat_error_text(error));
	}
	if (strcmp(dir->flat.header->service, manifest->service) != 0) {
		return kit_fault_set(ret_fault, -EBADMSG, path,
		        "the flat kit is one of %s, not of %s; make the kit again",
		        dir->flat.header->service, manifest->service);
	}
	return 0;
}

/*
 * What every user of a kit takes for granted. State description and flat kit are bound to the
 * manifest a second time, by their own hashes: the machine knows those only.
 */
static int kit_check_form(struct kit_dir *dir, const char *path, struct kit_fault *ret_fault)
{
	const struct kit_manifest *manifest = &dir->manifest;
	size_t i;
	int r;

	for (i = 0; i < sizeof(kit_needed) / sizeof(kit_needed[0]); i++) {
		if (!kit_list_find(&dir->list, kit_needed[i])) {
			return kit_fault_set(ret_fault, -EBADMSG, path,
			        "the file '%s' is not in its list; make the kit again",
			        kit_needed[i]);
		}
	}
	if (!kit_file_is_named(dir, "state", manifest->state_len, manifest->state_hash)) {
		(void)kit_fault_set(ret_fault, -EBADMSG, path,
		        "the state description is not the manifest's; make the kit again");
		ret_fault->reason = ENVELOPE_DESCRIPTION_MISMATCH;
		return -EBADMSG;
	}
	r = kit_check_flat(dir, path, ret_fault);
	return r < 0 ? r : kit_check_recipe(dir, path, ret_fault);
}

/* The directory itself may be behind a link: it is the caller who named it. */
static int kit_open(const char *path, int *ret_fd, struct kit_fault *ret_fault)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		return kit_fault_set(ret_fault, -errno, path,
		        "not a kit's directory: %s; `luforge kit` makes kits", strerror(errno));
	}
	*ret_fd = fd;
	return 0;
}

/* The six steps of the top, in order. On failure *dir holds what there is to free. */
static int kit_read_all(struct kit_dir *dir, const char *path, const struct kit_demand *demand,
        struct kit_fault *ret_fault)
{
	_cleanup_(kit_fd_closep) int fd = -1;
	struct kit_walk walk = {
	        .place = path, .file = kit_known_file, .list = &dir->list, .fault = ret_fault};
	int r = kit_open(path, &fd, ret_fault);

	if (r == 0 && demand) {
		r = kit_read_signed(dir, fd, path, demand, ret_fault);
	}
	if (r == 0) {
		r = kit_read_manifest(dir, fd, path, ret_fault);
	}
	if (r == 0) {
		r = kit_read_list(dir, fd, path, ret_fault);
	}
	if (r == 0) {
		r = kit_walk_run(&walk, fd);
	}
	if (r == 0) {
		r = kit_read_files(dir, fd, path, ret_fault);
	}
	return r < 0 ? r : kit_check_form(dir, path, ret_fault);
}

int kit_dir_read(struct kit_dir *ret_dir, const char *path, const struct kit_demand *demand,
        struct kit_fault *ret_fault)
{
	struct kit_dir dir = {0};
	int r = kit_read_all(&dir, path, demand, ret_fault);

	if (r < 0) {
		kit_dir_fini(&dir);
		return r;
	}
	*ret_dir = dir;
	return 0;
}

int kit_dir_read_signed(struct kit_dir *ret_dir, const char *path, const struct kit_demand *demand,
        struct kit_fault *ret_fault)
{
	_cleanup_(kit_fd_closep) int fd = -1;
	struct kit_dir dir = {0};
	int r = kit_open(path, &fd, ret_fault);

	if (r == 0) {
		r = kit_read_signed(&dir, fd, path, demand, ret_fault);
	}
	if (r < 0) {
		kit_dir_fini(&dir);
		return r;
	}
	*ret_dir = dir;
	return 0;
}

int kit_signed_open(const void *part, size_t len, const char *place,
        const struct kit_demand *demand, struct kit_manifest *ret_manifest,
        struct kit_fault *ret_fault)
{
	struct kit_dir dir = {.signed_len = len, .signed_part = calloc(1, len + 1)};
	struct envelope_part opened;
	int r = 0;

	if (!dir.signed_part) {
		return kit_fault_set(ret_fault, -ENOMEM, place, "out of memory");
	}
	memcpy(dir.signed_part, part, len);
	if (demand) {
		r = kit_signed_verify(&dir, place, demand, ret_fault);
	} else if (envelope_part_open(dir.signed_part, len, &opened) != ENVELOPE_OK ||
	           opened.kind != ENVELOPE_KIT || opened.size != len) {
		r = kit_fault_set(ret_fault, -EBADMSG, place, "not the signed manifest of a kit");
	} else {
		memcpy(&dir.manifest, opened.manifest, sizeof(dir.manifest));
	}
	if (r == 0) {
		*ret_manifest = dir.manifest;
	}
	kit_dir_fini(&dir);
	return r;
}
