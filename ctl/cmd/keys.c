/*
 * The keys commands: offline, on this host's keyring, without lud. What needs a private key
 * needs it here, as a file of whoever runs luctl. Keys are never printed; unseal prints the
 * layout seed that it opened. list says of each key whether it can do its work now and what to
 * do if not, and fails if one that is here cannot.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/time_set.h"
#include "host/text/hex.h"
#include "keyring/keyring.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

/*
 * A year: how long a root and its keys are valid. Renewing is one command, and a key that was
 * stolen unnoticed is of no use after that.
 */
#define KEYS_LIFETIME_SEC (UINT64_C(365) * 24 * 3600)
#define KEYS_REMEDY_SIZE 240

/*
 * Make all keys and the first signed root at once: a beginning for one host, from which keys are
 * then carried to where they belong. A directory that has keys is never written to.
 */
int cmd_keys_init(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	int r = keyring_create(dir, time(NULL), KEYS_LIFETIME_SEC);

	if (r == KEYRING_E_EXISTS) {
		return ctl_fail(CTL_TRUST, dir,
		        "`luctl keys list` shows them; name another directory with --keys",
		        "there are keys already; nothing was changed");
	}
	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir, "check the directory and its owner",
		        "the keys cannot be made: %s", keyring_error_text(r));
	}
	if (options->json) {
		answer_add(json_pack("{s:s}", "keys", dir));
	} else {
		printf("%s: made root, release, variant, order, control and audit keys\n", dir);
		puts("Where it matters, keep root.pem, release.pem and audit.pem offline and "
		     "control.pem\nwith the person; lud's host needs variant.pem, order.pem, "
		     "root.signed and signer.rules.");
	}
	return CTL_OK;
}

/*
 * The beginning of a key's id, by which people tell keys apart; `-` for a key that is not here (its
 * id is all zeros).
 */
static void keys_id(const struct keyring_info *info, char ret_text[TEXT_SIZE])
{
	ProtobufCBinaryData id = {sizeof(info->id), (uint8_t *)info->id};
	static const uint8_t none[16];

	if (memcmp(info->id, none, sizeof(none)) != 0) {
		text_id(&id, ret_text);
	} else {
		snprintf(ret_text, TEXT_SIZE, "-");
	}
}

/* Every role as an object, whether its key is here or not: scripts look `usable` up by role. */
static void keys_json(const char *dir, const struct keyring_info infos[_KEYRING_N])
{
	json_t *list = json_array();
	char id[TEXT_SIZE], remedy[KEYS_REMEDY_SIZE];

	for (int i = 0; i < _KEYRING_N; i++) {
		const struct keyring_info *info = &infos[i];

		keys_id(info, id);
		keyring_fault_remedy(info, remedy, sizeof(remedy));
		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I}", "role",
		                      keyring_role_name(info->role), "id", id, "usable",
		                      info->fault == KEYRING_USABLE, "state",
		                      keyring_fault_name(info->fault), "error",
		                      info->fault ? keyring_fault_text(info->fault) : "", "remedy",
		                      remedy, "not_before", (json_int_t)info->not_before,
		                      "not_after", (json_int_t)info->not_after));
	}
	answer_add(json_pack("{s:s, s:o}", "directory", dir, "keys", list));
}

/*
 * What is to be said of a key, with the date, the line or the error that it hangs on. The sentence
 * itself is the keyring's, for each fault one. The caller frees.
 */
static char *keys_state(const struct keyring_info *info)
{
	const char *text = keyring_fault_text(info->fault);
	char date[TEXT_SIZE];

	if (info->fault == KEYRING_EXPIRED) {
		return ctl_format("expired since %s", text_seconds((int64_t)info->not_after, date));
	}
	if (info->fault == KEYRING_NOT_YET) {
		return ctl_format(
		        "%s: from %s", text, text_seconds((int64_t)info->not_before, date));
	}
	if (info->fault == KEYRING_BAD_RULES && info->rules_line) {
		return ctl_format("%s in line %u", text, info->rules_line);
	}
	if (info->fault == KEYRING_DAMAGED && info->error < 0) {
		return ctl_format("cannot be read: %s", keyring_error_text(info->error));
	}
	return ctl_format("%s", text);
}

/* The same as a table, for people: one row a role, also for the roles whose keys are elsewhere. */
static void keys_print(const struct keyring_info infos[_KEYRING_N])
{
	static const struct table_column columns[] = {
	        {"ROLE", false},
	        {"ID", false},
	        {"VALID UNTIL", false},
	        {"", false},
	        {"USE", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (int i = 0; i < _KEYRING_N; i++) {
		_cleanup_(ctl_freep) char *state = keys_state(&infos[i]);
		char id[TEXT_SIZE], until[TEXT_SIZE];

		keys_id(&infos[i], id);
		table_row(table, (const char *const[]){keyring_role_name(infos[i].role), id,
		                         text_seconds((int64_t)infos[i].not_after, until), state,
		                         keyring_role_use(infos[i].role)});
	}
	table_print(table);
}

/*
 * CTL_OK, or CTL_TRUST when keys that are here cannot be used: each is printed, with what to do, and
 * a remedy that several have in common only once in a row. An absent key is no fault: keys belong
 * to different hosts, and none needs all of them.
 */
static int keys_judge(const char *dir, const struct keyring_info infos[_KEYRING_N])
{
	char remedy[KEYS_REMEDY_SIZE], last[KEYS_REMEDY_SIZE] = "";
	int code = CTL_OK;

	for (int i = 0; i < _KEYRING_N; i++) {
		_cleanup_(ctl_freep) char *state = keys_state(&infos[i]);

		if (infos[i].fault == KEYRING_USABLE || infos[i].fault == KEYRING_ABSENT) {
			continue;
		}
		keyring_fault_remedy(&infos[i], remedy, sizeof(remedy));
		code = ctl_fail(CTL_TRUST, dir, strcmp(remedy, last) ? remedy : NULL,
		        "the %s key cannot be used: %s", keyring_role_name(infos[i].role), state);
		memcpy(last, remedy, sizeof(last));
	}
	return code;
}

/*
 * Print all roles, then judge them. The table is flushed before the judgement, which goes to
 * stderr, so that the two do not mix on a terminal; JSON has the judgement in its fields as well.
 */
int cmd_keys_list(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	struct keyring_info infos[_KEYRING_N];
	int r = keyring_list(dir, (uint64_t)time(NULL), infos);

	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir,
		        "make keys with `luctl keys init`, or name a keyring with --keys",
		        "the keyring cannot be read: %s", keyring_error_text(r));
	}
	if (options->json) {
		keys_json(dir, infos);
	} else {
		keys_print(infos);
		fflush(stdout);
	}
	return keys_judge(dir, infos);
}

/*
 * Roles with commas between them, as bits of 1 << role; NULL is none, and so is an empty word.
 * False after the reason was printed: an unknown role, or the root, which a renewal signs with and
 * keeps.
 */
static bool keys_roles(const char *text, unsigned int *ret_roles)
{
	_cleanup_(ctl_freep) char *words = ctl_format("%s", text ? text : "");
	char *rest = words;
	char *word;

	*ret_roles = 0;
	while ((word = strsep(&rest, ","))) {
		enum keyring_role role = keyring_role_find(word);

		if (!*word) {
			continue;
		}
		if (role == _KEYRING_N || role == KEYRING_ROOT) {
			ctl_fail(CTL_USAGE, "--replace",
			        "roles are release, variant, order, control and audit",
			        "`%s` is not a role that can be replaced", word);
			return false;
		}
		*ret_roles |= 1u << role;
	}
	return true;
}

/*
 * The keyring of a second signer, whose public key is told for whoever has the root key. Nothing of it
 * but that key has to leave the place where it was made.
 */
int cmd_keys_second(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	uint8_t pub[32];
	char text[2 * sizeof(pub) + 1];
	int r = keyring_create_second(dir, pub);

	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir,
		        r == KEYRING_E_EXISTS ? "name another directory with --keys"
		                              : "check the directory and its owner",
		        "the key cannot be made: %s", keyring_error_text(r));
	}
	hex_write(pub, sizeof(pub), text);
	if (options->json) {
		answer_add(json_pack("{s:s, s:s}", "keys", dir, "public", text));
	} else {
		printf("%s: made the variant key of a second signer\n", dir);
		printf("Where root.pem is, give `luctl keys renew --second %s`, and copy the\n"
		       "root.signed that it makes here and to lud's keyring. Then start "
		       "`lusign --second --keys %s --listen SOCKET`.\n",
		        text, dir);
	}
	return CTL_OK;
}

/* --second: the key, or `none`: zeros. Nothing is asked for where it is not given. */
static bool keys_second_read(const char *text, uint8_t ret_pub[32])
{
	memset(ret_pub, 0, 32);
	if (!*text || !strcmp(text, "none") || hex_read(text, ret_pub, 32)) {
		return true;
	}
	(void)ctl_fail(CTL_USAGE, "--second",
	        "give the 64 digits that `luctl keys second` printed, or none",
	        "%s is no public key", text);
	return false;
}

/*
 * Sign the next root. Its serial is above the last one's, so machines that have seen it reject
 * the last one; kits need another signature only when the release key was replaced.
 */
int cmd_keys_renew(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	_Alignas(8) uint8_t root[SIGNER_ROOT_MAX];
	struct envelope_part part;
	uint8_t second[32];
	unsigned int replace;
	uint64_t serial;
	int r;

	if (!keys_roles(options->replace, &replace) || !keys_second_read(options->second, second)) {
		return CTL_USAGE;
	}
	r = keyring_renew(
	        dir, time(NULL), KEYS_LIFETIME_SEC, replace, *options->second ? second : NULL);
	if (r == 0) {
		r = keyring_root_read(dir, root, sizeof(root), &part);
	}
	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir,
		        "it needs root.pem and root.signed, and --second another key than these; "
		        "see `luctl keys list`",
		        "the next root cannot be signed: %s", keyring_error_text(r));
	}
	serial = ((const struct root_manifest *)part.manifest)->serial;
	if (options->json) {
		answer_add(json_pack("{s:s, s:I}", "keys", dir, "serial", (json_int_t)serial));
	} else {
		printf("%s: signed root %" PRIu64 "; machines that see it refuse older ones\n", dir,
		        serial);
	}
	if (replace & (1u << KEYRING_RELEASE)) {
		fputs("luctl: kits that the last release key signed are refused from now on: sign "
		      "each "
		      "with\n       `luctl release sign KIT`, then register it with `luctl release "
		      "add KIT`\n",
		        stderr);
	}
	return CTL_OK;
}

static void keys_key_freep(struct keyring_key **key)
{
	*key = keyring_key_free(*key);
}

/* What was committed to, and what is to be opened: the three of them belong to one layout, or nothing opens. */
struct keys_sealed {
	uint8_t commit[64], sealed[SIGNER_SEALED_SIZE], release_id[64];
	uint32_t recipe;
};

static bool keys_sealed_read(const struct options *options, struct keys_sealed *ret)
{
	char *end = "";

	ret->recipe = LINK_RECIPE;
	if (options->n_args > 3) {
		ret->recipe = (uint32_t)strtoul(options->args[3], &end, 10);
	}
	return hex_read(options->args[0], ret->commit, sizeof(ret->commit)) &&
	       hex_read(options->args[1], ret->sealed, sizeof(ret->sealed)) &&
	       hex_read(options->args[2], ret->release_id, sizeof(ret->release_id)) && !*end;
}

/*
 * Open the seed, and see that it is the one that the variant's signature commits to: the sealed
 * form proves only that whoever sealed it knew the commitment.
 */
static int keys_unseal(
        const struct keys_sealed *from, const char *dir, uint8_t ret_seed[SIGNER_SEED_SIZE])
{
	_cleanup_(keys_key_freep) struct keyring_key *audit = NULL;
	uint8_t commit[64];
	int r = keyring_key_open(dir, KEYRING_AUDIT, &audit);

	if (r == 0) {
		r = keyring_unseal(audit, from->commit, from->sealed, ret_seed);
	}
	if (r != 0) {
		return ctl_fail(CTL_TRUST, dir,
		        "use the audit key that was named when it was sealed",
		        "the seed cannot be opened: %s", keyring_error_text(r));
	}
	envelope_seed_commit(from->release_id, from->recipe, ret_seed, commit);
	if (memcmp(commit, from->commit, sizeof(commit)) != 0) {
		explicit_bzero(ret_seed, SIGNER_SEED_SIZE);
		return ctl_fail(CTL_TRUST, "keys unseal",
		        "compare release and recipe with `luctl show SERVICE GEN --json`; if they "
		        "are right, another seed was sealed than the one that was used",
		        "the seed is not the one that was committed to for this release and recipe "
		        "%u",
		        from->recipe);
	}
	return CTL_OK;
}

/*
 * The seed of a layout is a secret as long as that layout runs, so it is printed on request
 * only, by whoever holds the audit key, and wiped from memory here. The commitment binds the
 * sealed seed to its generation: a seed of another one does not open.
 */
int cmd_keys_unseal(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	uint8_t seed[SIGNER_SEED_SIZE];
	char hex[2 * SIGNER_SEED_SIZE + 1];
	struct keys_sealed from;
	int code;

	if (!keys_sealed_read(options, &from)) {
		return ctl_fail(CTL_USAGE, "keys unseal",
		        "`luctl show SERVICE GEN --json` has seed_commit, seed_sealed and "
		        "release_id",
		        "give a commitment of 128 hex digits, a sealed seed of 160 and a release "
		        "of "
		        "128");
	}
	code = keys_unseal(&from, dir, seed);
	if (code != CTL_OK) {
		return code;
	}
	hex_write(seed, sizeof(seed), hex);
	if (options->json) {
		answer_add(json_pack("{s:s}", "seed", hex));
	} else {
		puts(hex);
	}
	explicit_bzero(seed, sizeof(seed));
	explicit_bzero(hex, sizeof(hex));
	return CTL_OK;
}

/*
 * The offline half of `machine time`: what the statement must name comes from the command line,
 * since lud cannot be asked where the release key is. The statement is printed as hex, which
 * survives being carried by hand.
 */
int cmd_keys_time(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = command_keys(options);
	struct time_manifest time_set = {.time = (uint64_t)time(NULL)};
	uint8_t envelope[ENVELOPE_SIZE_MAX];
	char hex[2 * ENVELOPE_SIZE_MAX + 1];
	size_t size;
	char *end_boot, *end_nonce, *end_at = "";
	int code;

	time_set.boot_id = strtoull(options->args[1], &end_boot, 10);
	time_set.nonce = strtoull(options->args[2], &end_nonce, 10);
	if (options->at) {
		time_set.time = strtoull(options->at, &end_at, 10);
	}
	if (!hex_read(options->args[0], time_set.machine_id, sizeof(time_set.machine_id)) ||
	        *end_boot || *end_nonce || *end_at) {
		return ctl_fail(CTL_USAGE, "keys time",
		        "`luctl status --json` shows machine_id, boot_id and time_nonce",
		        "give a machine id of 32 hex digits, a boot id, a nonce, and with --at "
		        "seconds of unix time");
	}
	code = time_statement_make(dir, &time_set, envelope, &size);
	if (code == CTL_OK) {
		hex_write(envelope, size, hex);
	}
	if (code == CTL_OK && options->json) {
		answer_add(json_pack("{s:s}", "statement", hex));
	} else if (code == CTL_OK) {
		puts(hex);
	}
	return code;
}
