/*
 * release sign: offline. What is signed was read from the kit and judged first, all of
 * it, and is shown with what it may do: signing a kit is giving it these rights.
 */
#include "ctl/cmd/cmd.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/rights.h"
#include "host/kit/dir.h"
#include "keyring/keyring.h"

/* Most bytes of a signed manifest, and of the signed root. */
#define SIGN_PART_MAX 8192u
/* A directory with more entries is refused: it is not one of kits. */
#define SIGN_KITS_SEEN_MAX 100000u

/* What a run of the command works with. */
struct sign {
	const char *keys; /* directory */
	struct keyring_key *key;
	const char *previous; /* a kit, a directory of kits, or NULL */
	uint8_t *root;        /* read when it is first needed; owned */
	size_t root_len;
	json_t *list; /* NULL: words */
};

/* A release before the one that is signed. */
struct sign_earlier {
	bool found;
	struct kit_manifest manifest;
};

static void sign_closep(struct sign *sign)
{
	sign->key = keyring_key_free(sign->key);
	free(sign->root);
}

static void sign_kit_finip(struct kit_dir *dir)
{
	kit_dir_fini(dir);
}

static void sign_dir_closep(DIR **dir)
{
	if (*dir) {
		closedir(*dir);
	}
}

/* A fault of a kit has its own remedy in its text, so none is added. */
static int sign_fail(const struct kit_fault *fault)
{
	return ctl_fail(CTL_TRUST, fault->place, NULL, "%s", fault->text);
}

/*
 * The signed manifest of an earlier kit, verified under this keyring's root: a comparison with
 * something that nobody signed would show what a forger likes. The root is read once for all kits
 * and stays in *sign. CTL_OK, or CTL_TRUST after the reason was printed.
 */
static int sign_read_earlier(struct sign *sign, const char *kit, struct kit_manifest *ret_manifest)
{
	_cleanup_(ctl_freep) char *path = ctl_format("%s/" KEYRING_FILE_ROOT_SIGNED, sign->keys);
	_cleanup_(sign_kit_finip) struct kit_dir dir = {0};
	struct kit_demand demand = {.time = time(NULL)};
	struct kit_fault fault;
	int r = 0;

	if (!sign->root) {
		r = kit_file_read(path, SIGN_PART_MAX, &sign->root, &sign->root_len, &fault);
	}
	demand.root = sign->root;
	demand.root_len = sign->root_len;
	if (r == 0) {
		r = kit_dir_read_signed(&dir, kit, &demand, &fault);
	}
	if (r < 0) {
		return sign_fail(&fault);
	}
	*ret_manifest = dir.manifest;
	return CTL_OK;
}

/*
 * The newest release of the service in a directory of kits, such as lud's store. The kit that is
 * being signed may lie in it, so a manifest that equals it is passed over; a kit of this directory
 * that cannot be verified ends the search, whatever its service. CTL_OK also when none was found, but
 * not when the directory could not be read: who signs would take all that the release may do for new.
 */
static int sign_search(
        struct sign *sign, const struct kit_manifest *now, struct sign_earlier *ret_earlier)
{
	_cleanup_(sign_dir_closep) DIR *dir = opendir(sign->previous);
	struct kit_manifest manifest;
	struct dirent *entry;
	unsigned int n = 0;

	if (!dir) {
		return ctl_fail(CTL_TRUST, sign->previous,
		        "name a kit or a directory of kits, or leave --previous out",
		        "cannot read it: %s", strerror(errno));
	}
	while ((entry = readdir(dir))) {
		_cleanup_(ctl_freep) char *kit = ctl_format("%s/%s", sign->previous, entry->d_name);
		size_t len = strlen(entry->d_name);

		if (n++ == SIGN_KITS_SEEN_MAX) {
			return ctl_fail(CTL_TRUST, sign->previous, "name the earlier kit itself",
			        "more than %u entries", SIGN_KITS_SEEN_MAX);
		}
		if (entry->d_name[0] == '.' || len < 4 ||
		        strcmp(entry->d_name + len - 4, ".kit") != 0) {
			continue;
		}
		if (sign_read_earlier(sign, kit, &manifest) != CTL_OK) {
			return CTL_TRUST;
		}
		if (strcmp(manifest.service, now->service) == 0 &&
		        memcmp(&manifest, now, sizeof(manifest)) != 0 &&
		        (!ret_earlier->found || manifest.counter > ret_earlier->manifest.counter)) {
			ret_earlier->found = true;
			ret_earlier->manifest = manifest;
		}
	}
	return CTL_OK;
}

/*
 * The release that the new one is compared with: the kit that --previous names, or the newest
 * of the same service in the directory that it names. Without --previous, and when there is
 * none, ->found stays false.
 */
static int sign_earlier(
        struct sign *sign, const struct kit_manifest *now, struct sign_earlier *ret_earlier)
{
	_cleanup_(ctl_freep) char *manifest = NULL;
	int code;

	if (!sign->previous) {
		return CTL_OK;
	}
	manifest = ctl_format("%s/" KIT_MANIFEST, sign->previous);
	if (access(manifest, F_OK) < 0) {
		return sign_search(sign, now, ret_earlier);
	}
	code = sign_read_earlier(sign, sign->previous, &ret_earlier->manifest);
	if (code == CTL_OK && strcmp(ret_earlier->manifest.service, now->service) != 0) {
		return ctl_fail(CTL_TRUST, sign->previous,
		        "name an earlier release of the same service, or a directory of kits",
		        "a release of %s, not of %s", ret_earlier->manifest.service, now->service);
	}
	ret_earlier->found = code == CTL_OK;
	return code;
}

/*
 * Show what the signature grants, as words or as an entry of the JSON list. It is printed after
 * the signature was written: what is shown is what was signed.
 */
static void sign_show(const struct sign *sign, const char *kit, const struct kit_manifest *now,
        const struct sign_earlier *earlier)
{
	static struct rights rights;
	uint8_t release_id[64];
	ProtobufCBinaryData id = {sizeof(release_id), release_id};
	char text[TEXT_SIZE];

	kit_manifest_release_id(now, release_id);
	text_id(&id, text);
	rights_of(now, earlier->found ? &earlier->manifest : NULL, &rights);
	if (sign->list) {
		json_array_append_new(
		        sign->list, json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o}", "kit",
		                            kit, "service", now->service, "release", text,
		                            "counter", (int)now->counter, "previous",
		                            earlier->found ? json_integer(earlier->manifest.counter)
		                                           : json_null(),
		                            "privileges", rights_json(&rights.lines), "added",
		                            rights_json(&rights.added), "removed",
		                            rights_json(&rights.removed)));
		return;
	}
	printf("%s: release %u of %s is signed: %s\n", kit, now->counter, now->service, text);
	puts("  it may do and use:");
	rights_print(&rights);
	if (!earlier->found) {
		puts(sign->previous ? "  no earlier release of this service is there"
		                    : "  compared with no earlier release: --previous names one");
		return;
	}
	printf("  since release %u: %s\n", earlier->manifest.counter,
	        rights.added.n + rights.removed.n ? "" : "no change of what it may do and use");
	rights_print_changes(&rights);
}

/*
 * Sign one kit. Everything of it is read and checked first (kit_dir_read()), so a kit that is
 * damaged is never signed; the signed manifest is put into the kit last, by a rename.
 */
static int sign_one(struct sign *sign, const char *kit)
{
	_cleanup_(sign_kit_finip) struct kit_dir dir = {0};
	struct sign_earlier earlier = {.found = false};
	uint8_t part[SIGN_PART_MAX];
	struct kit_fault fault;
	size_t len = 0;
	int r;

	if (access(kit, F_OK) < 0) {
		return ctl_fail(CTL_NOT_FOUND, kit, "check the path", "%s", strerror(errno));
	}
	r = kit_dir_read(&dir, kit, NULL, &fault);
	if (r < 0) {
		return sign_fail(&fault);
	}
	r = sign_earlier(sign, &dir.manifest, &earlier);
	if (r != CTL_OK) {
		return r;
	}
	r = keyring_sign(sign->key, ENVELOPE_KIT, &dir.manifest, sizeof(dir.manifest), part,
	        sizeof(part), &len);
	if (r != 0) {
		return ctl_fail(CTL_TRUST, kit, "build the kit again", "it cannot be signed: %s",
		        keyring_error_text(r));
	}
	if (kit_dir_put_signed(kit, part, len, &fault) < 0) {
		return sign_fail(&fault);
	}
	sign_show(sign, kit, &dir.manifest, &earlier);
	return CTL_OK;
}

/*
 * Sign kits, one after the other; the first that cannot be signed ends the command. Kits before it
 * stay signed, and the JSON list has exactly these.
 */
int cmd_release_sign(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	_cleanup_(sign_closep) struct sign sign = {.keys = dir,
	        .previous = options->previous,
	        .list = options->json ? json_array() : NULL};
	int r = keyring_key_open(dir, KEYRING_RELEASE, &sign.key);
	int code = CTL_OK;

	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir,
		        "make keys with `luctl keys init`, or name a keyring with --keys",
		        "the release key cannot be used: %s", keyring_error_text(r));
	}
	for (int i = 0; code == CTL_OK && i < options->n_args; i++) {
		code = sign_one(&sign, options->args[i]);
	}
	if (sign.list) {
		answer_add(json_pack("{s:o}", "kits", sign.list));
	}
	return code;
}
