/*
 * release new, and the first half of dev: from a source tree to a release that lud knows.
 *
 *     source, build, source again -> for each service: kit, number, what is there already,
 *     rights, the release in memory, its signature -> the directory of kits -> lud
 *
 * A kit is complete before anybody can see it, and its number was given before that; so whatever
 * fails, no number means two releases. What was made stays when lud does not take it: the command that
 * registers it is printed.
 *
 * Signing here is for keyrings that have a release key, as those of development have. Its owner is not
 * asked again, so a release that may do more than the one before, by what a release key has signed for,
 * is not signed unless the person says so; without the key the kit stays unsigned, and the offline
 * command shows the same.
 */
#include "ctl/cmd/cmd.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/release.h"
#include "ctl/cmd/rights.h"
#include "ctl/make/kits.h"
#include "ctl/make/run.h"
#include "ctl/make/source.h"
#include "ctl/make/tree.h"
#include "host/text/hex.h"
#include "keyring/keyring.h"

#define RELEASE_PART_MAX 8192u

/* The release that a new one follows, in memory of its own: the answer of lud ends with its connection. */
struct release_earlier {
	bool found;
	bool runs;     /* on a machine, not only registered */
	bool is_known; /* ->manifest is what a release key signed */
	uint32_t counter;
	char *where; /* the machine that runs it, or words; owned */
	char *kit;   /* owned */
	char *why;   /* it is not known; owned */
	char id[2 * 64 + 1];
	struct kit_manifest manifest;
};

struct release_maker {
	const struct options *options;
	struct options
	        quiet; /* the same without --json: answers that are no command's are not printed */
	bool for_dev;
	struct tree tree;
	struct source source;
	char *into, *keys, *notes; /* owned */
	struct keyring_key *key;   /* NULL: there is none */
	uint8_t *root;             /* the keyring's signed root; NULL: none */
	size_t root_len;
};

/* Kits of `luctl dev` as they are given up, behind the one that was made last. */
struct release_old {
	const struct release_maker *maker;
	const struct release_made *made;
};

static void release_kit_finip(struct kit_dir *dir)
{
	kit_dir_fini(dir);
}

static void release_earlier_finip(struct release_earlier *earlier)
{
	free(earlier->where);
	free(earlier->kit);
	free(earlier->why);
}

void release_made_finip(struct release_made *made)
{
	free(made->kit);
}

void release_maker_closep(struct release_maker **maker)
{
	struct release_maker *m = *maker;

	if (m) {
		tree_finip(&m->tree);
		source_finip(&m->source);
		free(m->into);
		free(m->keys);
		free(m->notes);
		free(m->root);
		keyring_key_free(m->key);
		free(m);
	}
}

/* The key, if there is one, and the root that earlier releases are judged by. */
static int release_open_keys(struct release_maker *m)
{
	_cleanup_(ctl_freep) char *root = NULL;
	struct kit_fault fault;
	int r;

	m->keys = command_keys(m->options);
	root = ctl_format("%s/" KEYRING_FILE_ROOT_SIGNED, m->keys);
	r = keyring_key_open(m->keys, KEYRING_RELEASE, &m->key);
	if (r != 0 && (m->for_dev || (r != KEYRING_E_MISSING && r != -ENOENT))) {
		return ctl_fail(CTL_TRUST, m->keys,
		        m->for_dev
		                ? "make development keys with `luctl keys init`, or name a keyring "
		                  "with --keys; `luctl release new` makes a kit without a key"
		                : "`luctl keys list` says what is wrong with it",
		        "the release key cannot be used: %s", keyring_error_text(r));
	}
	if (kit_file_read(root, RELEASE_PART_MAX, &m->root, &m->root_len, &fault) < 0 && m->key) {
		return ctl_fail(CTL_TRUST, fault.place,
		        "`luctl keys list` says what is wrong with it", "%s", fault.text);
	}
	return CTL_OK;
}

/* Notes end in a line feed, whoever typed them. */
static int release_take_notes(struct release_maker *m)
{
	const char *notes = m->options->notes;
	size_t len = strlen(notes);

	m->notes = ctl_format("%s%s", notes, len && notes[len - 1] != '\n' ? "\n" : "");
	if (strlen(m->notes) > KIT_NOTES_MAX) {
		return ctl_fail(CTL_USAGE, "--notes", "say it in fewer words",
		        "%zu bytes of notes, and a release has room for %u", len,
		        KIT_NOTES_MAX - 1);
	}
	return CTL_OK;
}

/*
 * The source is looked at before and after the build: what was saved meanwhile may or may not be in the
 * kits, so that no text would be true of them.
 */
static int release_build(struct release_maker *m)
{
	_cleanup_(source_finip) struct source before = {0};
	const struct options *options = m->options;
	int code = source_read(m->tree.source, options->source, &before);

	if (code == CTL_OK) {
		code = tree_build(&m->tree, options->args, options->n_args);
	}
	if (code == CTL_OK) {
		code = source_read(m->tree.source, options->source, &m->source);
	}
	if (code == CTL_OK && strcmp(before.text, m->source.text) != 0) {
		return ctl_fail(CTL_FAILED, m->tree.source, "ask again; no number was used",
		        "the source changed while it was built");
	}
	if (code == CTL_OK && m->source.n_changed && !m->for_dev) {
		fprintf(stderr, "luctl: %s: not committed: %s%s\n", m->tree.source, m->source.first,
		        m->source.n_changed > 5 ? ", ..." : "");
	}
	return code;
}

/* A build takes seconds: that lud is not there to number what comes of it is told before. */
static int release_find_lud(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;

	return options->offline ? CTL_OK : client_open(options->socket, &client);
}

int release_maker_open(
        const struct options *options, bool for_dev, struct release_maker **ret_maker)
{
	struct release_maker *m = *ret_maker = ctl_zero(sizeof(*m));
	_cleanup_(ctl_freep) char *into = NULL;
	int code;

	m->options = options;
	m->quiet = *options;
	m->quiet.json = false;
	m->for_dev = for_dev;
	if (options->number && options->n_args > 1) {
		return ctl_fail(CTL_USAGE, "--number", NULL, "a number is for one service");
	}
	code = tree_open(options->build, &m->tree);
	if (code != CTL_OK) {
		return code;
	}
	into = options->into ? ctl_format("%s", options->into)
	                     : ctl_format("%s/releases", m->tree.build);
	code = kits_prepare(into);
	m->into = code == CTL_OK ? realpath(into, NULL) : NULL;
	if (code == CTL_OK) {
		code = release_take_notes(m);
	}
	if (code == CTL_OK) {
		code = release_open_keys(m);
	}
	if (code == CTL_OK) {
		code = release_find_lud(options);
	}
	return code == CTL_OK ? release_build(m) : code;
}

/*
 * What lud has of the release before. Its manifest counts only as signed under this keyring's root, for
 * it decides what the new one is signed for; where there is no root nothing is signed, and it is only
 * shown.
 */
static void release_take_earlier(const struct release_maker *m,
        const Control__ReleaseNumber *answer, struct release_earlier *earlier)
{
	struct kit_demand demand = {
	        .root = m->root, .root_len = m->root_len, .time = (uint64_t)time(NULL)};
	const Control__ReleaseDetail *detail = answer->earlier;
	const Control__Release *release = detail->release;
	struct kit_fault fault = {.text = ""};

	earlier->found = true;
	earlier->runs = *answer->machine != '\0';
	earlier->counter = release->counter;
	earlier->kit = ctl_format("%s", release->path);
	earlier->where = earlier->runs ? ctl_format("which %s runs", answer->machine)
	                               : ctl_format("the newest");
	if (release->release_id.len == 64) {
		hex_write(release->release_id.data, 64, earlier->id);
	}
	earlier->is_known =
	        detail->manifest.len > 0 &&
	        kit_signed_open(detail->manifest.data, detail->manifest.len, release->path,
	                m->root ? &demand : NULL, &earlier->manifest, &fault) == 0;
	if (!earlier->is_known) {
		earlier->why = ctl_format(
		        "%s", detail->manifest.len ? fault.text : detail->manifest_amiss);
	}
}

/* A number from lud, and what the release is compared with. */
static int release_ask_number(const struct release_maker *m, const char *service, uint32_t used,
        uint32_t *ret_number, struct release_earlier *earlier)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__ReleaseNumberRequest ask = CONTROL__RELEASE_NUMBER_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	ask.service = (char *)service;
	ask.machine = (char *)m->options->machine;
	ask.above = used;
	ask.wanted = m->options->number > UINT32_MAX ? UINT32_MAX : (uint32_t)m->options->number;
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_NUMBER;
	request.release_number = &ask;
	code = command_call(&m->quiet, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK) {
		*ret_number = reply->number->number;
	}
	if (code == CTL_OK && reply->number->earlier) {
		release_take_earlier(m, reply->number, earlier);
	}
	return code;
}

/* Without lud the kits that are there are all that is known. */
static int release_number(const struct release_maker *m, const char *service, uint32_t *ret_number,
        struct release_earlier *earlier)
{
	uint64_t wanted = m->options->number;
	uint32_t used;
	int code = kits_highest(m->into, service, &used);

	if (code != CTL_OK || !m->options->offline) {
		return code == CTL_OK ? release_ask_number(m, service, used, ret_number, earlier)
		                      : code;
	}
	if (wanted && (wanted <= used || wanted > UINT32_MAX)) {
		return ctl_fail(CTL_HELD, m->into, "leave --number out, or give a higher one",
		        "number %ju was used, or is below %u, which was", (uintmax_t)wanted, used);
	}
	*ret_number = wanted ? (uint32_t)wanted : used + 1;
	return CTL_OK;
}

/* Is the program the same? What a release is called and made of may differ. */
static bool release_is_same(const struct kit_manifest *a, const struct kit_manifest *b)
{
	struct kit_manifest other = *b;

	other.counter = a->counter;
	other.issued = a->issued;
	memcpy(other.source_id, a->source_id, sizeof(other.source_id));
	memcpy(other.files_hash, a->files_hash, sizeof(other.files_hash));
	return memcmp(a, &other, sizeof(other)) == 0;
}

/*
 * Whether it may be signed here: it may do no more than the release before, or the person accepts that.
 * What cannot be compared could be more.
 */
static int release_judge_rights(const struct release_maker *m,
        const struct release_earlier *earlier, const struct rights *rights, const char *service)
{
	if (!m->key || m->options->accept_rights || !earlier->found) {
		return CTL_OK;
	}
	if (!earlier->is_known) {
		return ctl_fail(CTL_TRUST, service,
		        "mend that, or sign all the same with --accept-rights",
		        "not signed: what it may do cannot be compared with release %u: %s",
		        earlier->counter, earlier->why);
	}
	for (size_t i = 0; i < rights->added.n; i++) {
		fprintf(stderr, "  + %s\n", rights->added.line[i]);
	}
	return rights->added.n == 0
	               ? CTL_OK
	               : ctl_fail(CTL_TRUST, service,
	                         "take them out of the service's description, or sign all the same "
	                         "with --accept-rights",
	                         "not signed: it may do and use what release %u, %s, may not",
	                         earlier->counter, earlier->where);
}

/* The signed manifest into the kit in memory. */
static int release_sign(const struct release_maker *m, struct kit_dir *kit)
{
	uint8_t *part = ctl_zero(RELEASE_PART_MAX);
	int r = keyring_sign(m->key, ENVELOPE_KIT, &kit->manifest, sizeof(kit->manifest), part,
	        RELEASE_PART_MAX, &kit->signed_len);

	kit->signed_part = part;
	return r == 0 ? CTL_OK
	              : ctl_fail(CTL_TRUST, m->keys, "`luctl keys list` says what is wrong with it",
	                        "the kit cannot be signed: %s", keyring_error_text(r));
}

/* lud judges the kit by its own root, and its first words are about that. */
static int release_register(const struct release_maker *m, const char *kit)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__ReleaseAddRequest add = CONTROL__RELEASE_ADD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	add.kit = (char *)kit;
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_ADD;
	request.release_add = &add;
	code = command_call(&m->quiet, &request, NULL, NULL, &client, &reply);
	if (code != CTL_OK) {
		fprintf(stderr, "       the kit is made and signed; then `luctl release add %s`\n",
		        kit);
	}
	return code;
}

/* What becomes of the state, by the tree's own luforge; the text is for people, or JSON. */
static json_t *release_pair(
        const struct release_maker *m, const struct release_earlier *earlier, const char *kit)
{
	const char *const argv[] = {m->tree.luforge, "pair", earlier->kit, kit,
	        m->options->json ? "--json" : NULL, NULL};
	_cleanup_(ctl_freep) char *manifest = ctl_format("%s/" KIT_LIST, earlier->kit);
	_cleanup_(run_finip) struct run run = {0};

	if (access(manifest, R_OK) < 0 || run_program(argv, NULL, true, &run) != CTL_OK) {
		return json_null();
	}
	if (m->options->json) {
		json_t *pairing = json_loads(run.out, 0, NULL);

		return pairing ? pairing : json_null();
	}
	return json_string(run.out);
}

/* What the release changes, in words. */
static void release_tell_changes(const struct release_maker *m,
        const struct release_earlier *earlier, const struct rights *rights, const char *pairing)
{
	char *copy, *rest;

	if (!earlier->found) {
		puts(m->options->offline ? "  compared with none: lud was not asked"
		                         : "  it is the first that lud knows");
		return;
	}
	printf("  since release %u, %s:\n", earlier->counter, earlier->where);
	if (!earlier->is_known) {
		printf("    rights not compared: %s\n", earlier->why);
	} else {
		printf("    %s\n", rights->added.n + rights->removed.n
		                           ? "it may do and use"
		                           : "no change of what it may do and use");
		rights_print_changes(rights);
	}
	if (!pairing) {
		printf("    state not compared: %s cannot be read here; `luctl release diff` asks "
		       "lud\n",
		        earlier->kit);
		return;
	}
	copy = ctl_format("%s", pairing);
	for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		printf("    %s\n", line);
	}
	free(copy);
}

static void release_tell(const struct release_maker *m, const struct release_made *made,
        const struct release_earlier *earlier, const struct rights *rights, const char *pairing)
{
	printf("%s: release %u, %.12s, of %s\n  kit %s\n", made->service, made->counter, made->id,
	        m->source.is, made->kit);
	if (!made->is_signed) {
		printf("  not signed: %s has no release key. Where it is, and then where lud is:\n"
		       "    luctl release sign %s --keys DIR%s%s\n    luctl release add %s\n",
		        m->keys, made->kit, earlier->found ? " --previous " : "",
		        earlier->found ? earlier->kit : "", made->kit);
	} else {
		printf("  signed by %s%s\n", m->keys,
		        m->options->offline ? "; `luctl release add` registers it"
		                            : ", registered");
	}
	release_tell_changes(m, earlier, rights, pairing);
}

static void release_tell_json(const struct release_maker *m, const struct release_made *made,
        const struct release_earlier *earlier, const struct rights *rights, json_t *pairing)
{
	json_t *row = json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:s, s:b, s:b, s:o, s:o, s:o, s:O}",
	        "service", made->service, "counter", (int)made->counter, "release_id", made->id,
	        "kit", made->kit, "source", m->source.is, "changed_files", (int)m->source.n_changed,
	        "notes", m->notes, "signed", made->is_signed, "registered",
	        made->is_signed && !m->options->offline, "previous",
	        earlier->found ? json_integer(earlier->counter) : json_null(), "added",
	        rights_json(&rights->added), "removed", rights_json(&rights->removed), "pairing",
	        pairing);

	answer_add(row);
}

/* What is told once all is done. */
static void release_show(const struct release_maker *m, const struct release_made *made,
        const struct release_earlier *earlier, const struct rights *rights)
{
	json_t *pairing;

	if (m->for_dev) {
		return;
	}
	pairing = earlier->found ? release_pair(m, earlier, made->kit) : json_null();
	if (m->options->json) {
		release_tell_json(m, made, earlier, rights, pairing);
	} else {
		release_tell(m, made, earlier, rights, json_string_value(pairing));
	}
	json_decref(pairing);
}

/* Number, files, signature, place: in this order, so that nothing unfinished has a name. */
static int release_finish(const struct release_maker *m, struct kit_dir *kit, uint32_t number,
        struct release_made *made)
{
	struct kit_release release = {.counter = number,
	        .issued = (uint64_t)time(NULL),
	        .source = m->source.text,
	        .notes = m->notes};
	struct kit_fault fault;
	uint8_t id[64];
	int code = CTL_OK;

	if (kit_dir_renew(kit, &release, made->service, &fault) < 0) {
		return ctl_fail(CTL_FAILED, fault.place, NULL, "%s", fault.text);
	}
	if (m->key) {
		code = release_sign(m, kit);
	}
	if (code == CTL_OK) {
		code = kits_write(m->into, kit, m->for_dev, &made->kit);
	}
	made->counter = number;
	made->is_signed = m->key != NULL;
	kit_manifest_release_id(&kit->manifest, id);
	hex_write(id, sizeof(id), made->id);
	return code;
}

int release_make(struct release_maker *m, const char *name, struct release_made *made)
{
	_cleanup_(ctl_freep) char *path = tree_kit(&m->tree, name);
	_cleanup_(release_kit_finip) struct kit_dir kit = {0};
	_cleanup_(release_earlier_finip) struct release_earlier earlier = {0};
	static struct rights rights;
	struct kit_fault fault;
	uint32_t number = 0;
	int code;

	if (kit_dir_read(&kit, path, NULL, &fault) < 0) {
		return ctl_fail(CTL_TRUST, fault.place, NULL, "%s", fault.text);
	}
	snprintf(made->service, sizeof(made->service), "%s", kit.manifest.service);
	code = release_number(m, made->service, &number, &earlier);
	if (code != CTL_OK) {
		return code;
	}
	if (m->for_dev && earlier.runs && earlier.is_known &&
	        release_is_same(&earlier.manifest, &kit.manifest)) {
		made->runs = true;
		made->counter = earlier.counter;
		memcpy(made->id, earlier.id, sizeof(made->id));
		return CTL_OK;
	}
	rights_of(&kit.manifest, earlier.is_known ? &earlier.manifest : NULL, &rights);
	code = release_judge_rights(m, &earlier, &rights, made->service);
	if (code == CTL_OK) {
		code = release_finish(m, &kit, number, made);
	}
	if (code == CTL_OK && made->is_signed && !m->options->offline) {
		code = release_register(m, made->kit);
	}
	if (code == CTL_OK) {
		release_show(m, made, &earlier, &rights);
	}
	return code;
}

/* The first service that fails ends it; releases of those before it are made, and were told. */
int cmd_release_new(const struct options *options)
{
	_cleanup_(release_maker_closep) struct release_maker *maker = NULL;
	int code = release_maker_open(options, false, &maker);

	for (int i = 0; code == CTL_OK && i < options->n_args; i++) {
		_cleanup_(release_made_finip) struct release_made made = {0};

		code = release_make(maker, options->args[i], &made);
	}
	return code;
}

/* lud answers with why it keeps its copy; then the kit stays here, too, and is asked about again. */
static bool release_give_up(const char *id, void *arg)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__ReleaseRemoveRequest removal = CONTROL__RELEASE_REMOVE_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct release_made *made = ((const struct release_old *)arg)->made;
	const struct options *quiet = &((const struct release_old *)arg)->maker->quiet;
	const Control__Reply *reply;

	removal.service = (char *)made->service;
	removal.release = (char *)id;
	removal.spare = true;
	request.body_case = CONTROL__REQUEST__BODY_RELEASE_REMOVE;
	request.release_remove = &removal;
	return command_ask(quiet, &request, NULL, NULL, &client, &reply) == CTL_OK &&
	       !*reply->done->text;
}

void release_remove_old(struct release_maker *m, const struct release_made *made)
{
	struct release_old old = {m, made};

	kits_remove_old(m->into, made->service, release_give_up, &old);
}
