/*
 * doctor: is this host fit to run machines, and is what runs here sound? One line a check, each by a row of one table: what
 * was looked at, ok, warn or bad, and what to do. It is for when something is wrong, so it works without lud and without
 * keys: a part that cannot be looked at is a line, too, and stops no other. It changes nothing; keys are read by the signer
 * alone, which is started for it.
 *
 * bad: something that was asked for will not work; warn: it works, and somebody should know. Only bad fails the command.
 */
#include "ctl/cmd/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/base/text.h"
#include "ctl/base/tone.h"
#include "ctl/client/command.h"
#include "ctl/client/place.h"
#include "ctl/cmd/cmd.h"
#include "ctl/cmd/policy_files.h"
#include "ctl/make/run.h"
#include "host/kvm/kvm.h"
#include "keyring/keyring.h"
#include "proto/envelope/signer.h"
#include "version.h"

#define DOCTOR_DISK_WARN (UINT64_C(2) << 30)
#define DOCTOR_DISK_BAD (UINT64_C(256) << 20)
#define DOCTOR_DAY_SEC (24 * 3600)
#define DOCTOR_OLDEST_SEC 1735689600 /* 2025: no clock that is right shows less */
/* A file from the future was written under another clock; this much is a matter of file systems. */
#define DOCTOR_SKEW_SEC 5

/* What all checks share. */
struct doctor {
	struct options options; /* of the command, without --json */
	char *socket;
	char *state; /* the directory that it lies in */
	char *keys;
	bool has_lud; /* it answered; what it said: */
	char version[TEXT_SIZE], build[TEXT_SIZE];
};

void doctor_say(struct doctor_line *line, enum doctor_verdict verdict, const char *remedy,
        const char *format, ...)
{
	va_list args;

	line->verdict = verdict;
	va_start(args, format);
	(void)vsnprintf(line->text, sizeof(line->text), format, args);
	va_end(args);
	snprintf(line->remedy, sizeof(line->remedy), "%s", remedy ? remedy : "");
}

char *doctor_find(const char *program)
{
	const char *at = getenv("PATH");

	while (at && *at) {
		size_t len = strcspn(at, ":");
		char *path = ctl_format("%.*s/%s", (int)len, at, program);

		if (access(path, X_OK) == 0) {
			return path;
		}
		free(path);
		at += len + (at[len] == ':');
	}
	return NULL;
}

/* What lud starts machines with. It is looked for where this user would find it, which is lud's way, too. */
static void doctor_qemu(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(ctl_freep) char *path = doctor_find("qemu-system-x86_64");

	if (path) {
		doctor_say(line, DOCTOR_OK, NULL, "%s", path);
	} else {
		doctor_say(line, DOCTOR_BAD, "install qemu-system-x86, or put it into $PATH of lud",
		        "qemu-system-x86_64 is not found: no machine can be started");
	}
}

/* Without KVM machines run as well, and several times slower. */
static void doctor_kvm(struct doctor *doctor, struct doctor_line *line)
{
	switch (kvm_ask(KVM_CPUS, KVM_DEVICE)) {
	case KVM_READY:
		doctor_say(line, DOCTOR_OK, NULL, KVM_DEVICE " can be used");
		break;
	case KVM_NO_CPU:
		doctor_say(line, DOCTOR_OK, NULL,
		        "this CPU has no vmx or svm; machines run under TCG, slower");
		break;
	case KVM_DENIED:
		doctor_say(line, DOCTOR_WARN, "put the user of lud into the group of " KVM_DEVICE,
		        KVM_DEVICE " is there and this user may not use it; machines run under "
		                   "TCG, slower");
		break;
	case KVM_NO_DEVICE:
		doctor_say(
		        line, DOCTOR_OK, NULL, "no " KVM_DEVICE "; machines run under TCG, slower");
		break;
	case _KVM_STATE_N:
		break;
	}
}

/* Of the state directory, or of the first one above it that is there. */
static void doctor_disk(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(ctl_freep) char *path = ctl_format("%s", doctor->state);
	const char *remedy =
	        "make room: old backups, images of removed machines, kits that no service runs";
	char text[TEXT_SIZE];
	struct statvfs fs;
	const char *at = path;
	uint64_t left;

	while (statvfs(at, &fs) < 0) {
		if (!strcmp(at, "/") || !strcmp(at, ".")) {
			doctor_say(line, DOCTOR_WARN, NULL, "%s: %s", at, strerror(errno));
			return;
		}
		at = dirname(path);
	}
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	doctor_say(line,
	        left < DOCTOR_DISK_BAD || !fs.f_favail ? DOCTOR_BAD
	        : left < DOCTOR_DISK_WARN              ? DOCTOR_WARN
	                                               : DOCTOR_OK,
	        left < DOCTOR_DISK_WARN || !fs.f_favail ? remedy : NULL, "%s left at %s%s",
	        text_bytes(left, text), at, fs.f_favail ? "" : ", and no inodes");
}

/*
 * Orders and signatures live by the clock: one that is years behind takes nothing for valid, and one that nobody keeps
 * right will be wrong some day, which is said before.
 */
static void doctor_clock(struct doctor *doctor, struct doctor_line *line)
{
	struct timex timex = {0};
	int state = adjtimex(&timex);

	if (time(NULL) < DOCTOR_OLDEST_SEC) {
		doctor_say(line, DOCTOR_BAD, "set it; what is signed would have expired",
		        "the clock of this host is years behind");
	} else if (state == TIME_ERROR || (timex.status & STA_UNSYNC)) {
		doctor_say(line, DOCTOR_WARN, "let chrony or systemd-timesyncd keep it",
		        "nothing keeps the clock of this host right");
	} else {
		doctor_say(line, DOCTOR_OK, NULL, "the clock is kept right");
	}
}

/* The record and what lies beside it were written before now. */
static void doctor_stamps(struct doctor *doctor, struct doctor_line *line)
{
	static const char *const files[] = {"lud.db", "lud.db-wal"};
	time_t now = time(NULL);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		_cleanup_(ctl_freep) char *path = ctl_format("%s/%s", doctor->state, files[i]);
		struct stat st;

		if (stat(path, &st) == 0 && st.st_mtime > now + DOCTOR_SKEW_SEC) {
			doctor_say(line, DOCTOR_WARN,
			        "set the clock of this host; the history goes on from the later "
			        "time",
			        "%s was written %" PRId64 " s in the future", path,
			        (int64_t)(st.st_mtime - now));
			return;
		}
	}
	doctor_say(line, DOCTOR_OK, NULL, "no file of %s is from the future", doctor->state);
}

/* Who can write there is lud's master. */
static void doctor_permissions(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(ctl_freep) char *record = ctl_format("%s/lud.db", doctor->state);
	_cleanup_(ctl_freep) char *remedy = NULL;
	const char *paths[] = {doctor->state, record, doctor->keys};
	struct stat st;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		bool is_keys = paths[i] == doctor->keys;

		if (stat(paths[i], &st) < 0) {
			continue;
		}
		if ((st.st_mode & (S_IWGRP | S_IWOTH)) || (is_keys && (st.st_mode & 077))) {
			remedy = ctl_format("chmod go%s %s", is_keys ? "-rwx" : "-w", paths[i]);
			doctor_say(line, DOCTOR_BAD, remedy, "%s can be %s by others (mode %03o)",
			        paths[i], is_keys ? "read or written" : "written",
			        (unsigned int)st.st_mode & 0777);
			return;
		}
	}
	doctor_say(line, DOCTOR_OK, NULL,
	        "state directory, record and keyring belong to their user alone");
}

/* The faults that keep a key from its work, and the end of those that work. */
static void doctor_keys(struct doctor *doctor, struct doctor_line *line)
{
	struct keyring_info infos[_KEYRING_N];
	char remedy[DOCTOR_TEXT], age[TEXT_SIZE];
	uint64_t now = (uint64_t)time(NULL), end = UINT64_MAX;
	int r = keyring_list(doctor->keys, now, infos);

	if (r != 0) {
		doctor_say(line, DOCTOR_WARN,
		        "`luctl keys init` makes one; --keys names another directory", "%s: %s",
		        doctor->keys, keyring_error_text(r));
		return;
	}
	for (int i = 0; i < _KEYRING_N; i++) {
		if (infos[i].fault == KEYRING_ABSENT) {
			continue;
		}
		if (infos[i].fault != KEYRING_USABLE) {
			keyring_fault_remedy(&infos[i], remedy, sizeof(remedy));
			doctor_say(line, DOCTOR_BAD, remedy, "%s: the %s key cannot be used: %s",
			        doctor->keys, keyring_role_name(infos[i].role),
			        keyring_fault_text(infos[i].fault));
			return;
		}
		end = infos[i].not_after && infos[i].not_after < end ? infos[i].not_after : end;
	}
	if (end != UINT64_MAX && end < now + UINT64_C(30) * DOCTOR_DAY_SEC) {
		doctor_say(line, DOCTOR_WARN, "where root.pem is, `luctl keys renew`",
		        "%s: keys come to their end in %s", doctor->keys,
		        text_age((int64_t)(end - now) * 1000000, age));
		return;
	}
	doctor_say(line, DOCTOR_OK, NULL, "%s: the keys that are here can be used", doctor->keys);
}

/* What it says of itself; false: it was told what is wrong. It reads its keys before it answers anything. */
static bool doctor_ask_signer(struct doctor *doctor, const char *program, struct run *run,
        const struct signer_info **ret_info, struct doctor_line *line)
{
	static struct signer_request request = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO, .id = 1};
	const char *const argv[] = {program, "--keys", doctor->keys, "--log", "/dev/null", NULL};
	const struct signer_reply *reply;

	if (run_fed(argv, &request, sizeof(request), run) != CTL_OK || run->status != 0) {
		doctor_say(line, DOCTOR_BAD,
		        "`luctl keys list` says what each key lacks; where lud runs as another "
		        "user, ask as that one",
		        "%s does not serve: %.200s", program,
		        run->errors && *run->errors ? run->errors : "it ended");
		return false;
	}
	reply = (const struct signer_reply *)run->out;
	if (run->len < sizeof(*reply) || reply->id != request.id || reply->status != SIGNER_OK) {
		doctor_say(line, DOCTOR_BAD, "install lusign and luctl of one version",
		        "%s does not answer as it should", program);
		return false;
	}
	*ret_info = &reply->info;
	return true;
}

/*
 * The program, and whether it serves with this keyring: it is started, as lud starts it, asked for what it has, and
 * ends. lud may be up meanwhile, or not: its own signer is another process.
 */
static void doctor_signer(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(run_finip) struct run run = {0};
	_cleanup_(ctl_freep) char *build = place_build();
	_cleanup_(ctl_freep) char *beside =
	        ctl_format("%s/keyring/signer/lusign", build ? build : "");
	_cleanup_(ctl_freep) char *found = doctor_find("lusign");
	_cleanup_(ctl_freep) char *variant = ctl_format("%s/variant.pem", doctor->keys);
	const char *program = access(beside, X_OK) == 0 ? beside : found;
	const struct signer_info *info;

	if (!program) {
		doctor_say(line, DOCTOR_BAD,
		        "install lusign beside lud, or name it by programs.lusign in lud's "
		        "configuration",
		        "lusign is not found: lud can have nothing signed");
	} else if (access(variant, R_OK) < 0) {
		doctor_say(line, DOCTOR_WARN, "ask on lud's host, as lud's user",
		        "%s is there; the keys that it signs with are not here, so it was not "
		        "asked",
		        program);
	} else if (doctor_ask_signer(doctor, program, &run, &info, line)) {
		doctor_say(line, info->not_after ? DOCTOR_OK : DOCTOR_BAD,
		        info->not_after ? NULL : "where root.pem is, `luctl keys renew`",
		        "%s serves, with root %" PRIu64 "%s", program, info->root_serial,
		        info->not_after ? "" : ", which does not name all of its keys");
	}
}

/* One request whose failure is a line and no message. */
static int doctor_ask(struct doctor *doctor, Control__Request *request, struct client **ret_client,
        const Control__Reply **ret_reply)
{
	int code;

	ctl_catch(true);
	code = command_call(&doctor->options, request, NULL, NULL, ret_client, ret_reply);
	ctl_catch(false);
	return code;
}

/*
 * Whether it answers, and whether it is of this luctl's build: an older one serves as well, but for what it does not know, and
 * is often one that was not started again after an upgrade.
 */
static void doctor_lud(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__VersionRequest version = CONTROL__VERSION_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;

	request.body_case = CONTROL__REQUEST__BODY_VERSION;
	request.version = &version;
	if (doctor_ask(doctor, &request, &client, &reply) != CTL_OK) {
		doctor_say(line, DOCTOR_BAD,
		        "start lud (`make up`, or the lud service), or name its socket with "
		        "--socket",
		        "%s", ctl_caught());
		return;
	}
	doctor->has_lud = true;
	if (strcmp(reply->version->build, SAMSARA_BUILD) != 0) {
		doctor_say(line, DOCTOR_WARN,
		        "install luctl and lud of one version, and start lud again",
		        "lud is %s (%s), luctl " SAMSARA_VERSION " (" SAMSARA_BUILD ")",
		        reply->version->software, reply->version->build);
		return;
	}
	doctor_say(line, DOCTOR_OK, NULL, "%s (%s) answers at %s", reply->version->software,
	        reply->version->build, doctor->socket);
}

/* Why a part was not looked at; true: it was not. */
static bool doctor_needs_lud(const struct doctor *doctor, struct doctor_line *line)
{
	if (!doctor->has_lud) {
		doctor_say(line, DOCTOR_WARN, NULL, "not looked at: lud does not answer");
	}
	return !doctor->has_lud;
}

/*
 * All of it is read, as `luctl db check` does, which takes an admin. Who is none is told that it was not looked at, and
 * nothing worse.
 */
static void doctor_record(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__DbCheckRequest check = CONTROL__DB_CHECK_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;

	if (doctor_needs_lud(doctor, line)) {
		return;
	}
	request.body_case = CONTROL__REQUEST__BODY_DB_CHECK;
	request.db_check = &check;
	if (doctor_ask(doctor, &request, &client, &reply) != CTL_OK) {
		doctor_say(line, DOCTOR_WARN, "ask as an admin: `luctl db check`",
		        "not looked at: %s", ctl_caught());
	} else if (reply->db_check->n_findings) {
		doctor_say(line, DOCTOR_BAD, "`luctl db check` has all of it", "%s: %s",
		        reply->db_check->place, reply->db_check->findings[0]);
	} else {
		doctor_say(line, DOCTOR_OK, NULL, "%s is whole", reply->db_check->place);
	}
}

/* What `luctl status` would begin with: the worst that lud sees, machines and policies included. */
static void doctor_machines(struct doctor *doctor, struct doctor_line *line)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__StatusRequest status = CONTROL__STATUS_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Overview *view;
	const Control__Reply *reply;

	if (doctor_needs_lud(doctor, line)) {
		return;
	}
	status.overview = true;
	status.machine = (char *)doctor->options.machine;
	request.body_case = CONTROL__REQUEST__BODY_STATUS;
	request.status = &status;
	if (doctor_ask(doctor, &request, &client, &reply) != CTL_OK || !reply->status->overview) {
		doctor_say(line, DOCTOR_WARN, "`luctl status` says more", "not looked at: %s",
		        ctl_caught());
		return;
	}
	view = reply->status->overview;
	if (view->wrong && view->n_amiss) {
		doctor_say(line, DOCTOR_BAD, view->amiss[0]->remedy, "%s %s%s",
		        view->amiss[0]->subject, view->amiss[0]->text,
		        view->wrong > 1 ? "; `luctl status` has more that is wrong" : "");
	} else {
		doctor_say(line, DOCTOR_OK, NULL,
		        "%u of %u machines run what they should; policies can be read",
		        view->machines_well, view->machines);
	}
}

static void doctor_certificates(struct doctor *doctor, struct doctor_line *line)
{
	doctor_tls(&doctor->options, line);
}

/* In this order: what the later ones need comes first. */
static const struct {
	const char *name;
	void (*look)(struct doctor *doctor, struct doctor_line *line);
} doctor_checks[] = {
        {"qemu", doctor_qemu},
        {"kvm", doctor_kvm},
        {"disk", doctor_disk},
        {"clock", doctor_clock},
        {"time stamps", doctor_stamps},
        {"permissions", doctor_permissions},
        {"keys", doctor_keys},
        {"signer", doctor_signer},
        {"certificates", doctor_certificates},
        {"lud", doctor_lud},
        {"record", doctor_record},
        {"machines", doctor_machines},
};

static const char *const doctor_words[_DOCTOR_VERDICT_N] = {
        [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_BAD] = "bad"};

/* A line for people, at once: a check may take its time. */
static void doctor_print(const char *name, const struct doctor_line *line)
{
	static const enum tone tones[_DOCTOR_VERDICT_N] = {
	        [DOCTOR_OK] = TONE_WELL, [DOCTOR_WARN] = TONE_NOTE, [DOCTOR_BAD] = TONE_WRONG};

	tone_begin(stdout, tones[line->verdict]);
	printf("%-5s", doctor_words[line->verdict]);
	tone_end(stdout);
	printf("%-12s %s\n", name, line->text);
	if (*line->remedy) {
		printf("%-17s %s\n", "", line->remedy);
	}
	fflush(stdout);
}

/*
 * All checks, whatever one of them finds. Each is printed when it is known, for the later ones may wait for lud; as JSON they
 * come together. The exit code is 1 where one is bad: a warning is for people.
 */
int cmd_doctor(const struct options *options)
{
	_cleanup_(ctl_freep) char *socket =
	        options->socket ? ctl_format("%s", options->socket) : place_socket();
	_cleanup_(ctl_freep) char *state = ctl_format("%s", socket);
	_cleanup_(ctl_freep) char *keys = command_keys(options);
	struct doctor doctor = {
	        .options = *options, .socket = socket, .state = dirname(state), .keys = keys};
	json_t *list = json_array();
	size_t n_bad = 0;

	doctor.options.json = false;
	for (size_t i = 0; i < sizeof(doctor_checks) / sizeof(doctor_checks[0]); i++) {
		struct doctor_line line = {0};

		doctor_checks[i].look(&doctor, &line);
		n_bad += line.verdict == DOCTOR_BAD;
		json_array_append_new(list,
		        json_pack("{s:s, s:s, s:o, s:o}", "check", doctor_checks[i].name, "verdict",
		                doctor_words[line.verdict], "text", policy_json_text(line.text),
		                "remedy", policy_json_text(line.remedy)));
		if (!options->json) {
			doctor_print(doctor_checks[i].name, &line);
		}
	}
	if (options->json) {
		answer_add(json_pack("{s:b, s:O}", "sound", n_bad == 0, "checks", list));
	}
	json_decref(list);
	return n_bad ? CTL_FAILED : CTL_OK;
}
