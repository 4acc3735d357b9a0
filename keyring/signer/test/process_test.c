/*
 * The signer as a process: the shipped one in its sandbox, and the tests' one with
 * its clock. argv: lusign, lusign_test.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "keyring/keyring.h"
#include "keyring/signer/test/layout.h"

#define HOUR UINT64_C(3600)

static char test_dir[64];
static char test_ring[96];
static char test_clock[96];

struct process {
	pid_t pid;
	int to;
	int from;
};

static struct process process_start(const char *path, const char *ring)
{
	int in[2], out[2];
	struct process p;

	assert(pipe(in) == 0 && pipe(out) == 0);
	p.pid = fork();
	assert(p.pid >= 0);
	if (p.pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		for (int fd = 3; fd < 32; fd++) {
			(void)close(fd);
		}
		(void)setenv("LUSIGN_TEST_CLOCK", test_clock, 1);
		(void)execl(path, "lusign", "--keys", ring, (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	p.to = in[1];
	p.from = out[0];
	return p;
}

/* Close the input and return the wait status. */
static int process_end(struct process *p)
{
	int status;

	(void)close(p->to);
	(void)close(p->from);
	assert(waitpid(p->pid, &status, 0) == p->pid);
	return status;
}

static int reply_read(struct process *p, struct signer_reply *ret_reply)
{
	uint8_t *to = (uint8_t *)ret_reply;
	size_t got = 0;

	while (got < sizeof(*ret_reply)) {
		ssize_t n = read(p->from, to + got, sizeof(*ret_reply) - got);

		if (n <= 0) {
			return -1;
		}
		got += (size_t)n;
	}
	return 0;
}

static int ask(
        struct process *p, const struct signer_request *request, struct signer_reply *ret_reply)
{
	ssize_t flat_len =
	        request->op == SIGNER_SIGN_VARIANT ? (ssize_t)request->variant.flat_len : 0;

	if (write(p->to, request, sizeof(*request)) != (ssize_t)sizeof(*request) ||
	        (flat_len > 0 && write(p->to, layout_flat(), (size_t)flat_len) != flat_len)) {
		return -1;
	}
	return reply_read(p, ret_reply);
}

static void make_sign(struct signer_request *request)
{
	struct kit_manifest kit = {.magic = KIT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(kit),
	        .service = "ds",
	        .counter = 1,
	        .quiescent = "work-free",
	        .state_len = 8,
	        .stack_size = 4096};
	struct keyring_key *release = NULL;
	size_t len;

	layout_of_kit(&kit);
	*request = (struct signer_request){.magic = SIGNER_MAGIC, .op = SIGNER_SIGN_VARIANT};
	assert(keyring_key_open(test_ring, KEYRING_RELEASE, &release) == 0);
	assert(keyring_sign(release, ENVELOPE_KIT, &kit, sizeof(kit), request->variant.kit,
	               sizeof(request->variant.kit), &len) == 0);
	keyring_key_free(release);
	request->variant.kit_len = (uint32_t)len;
	request->variant.lifetime_sec = HOUR;
	request->variant.manifest = (struct variant_manifest){.magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(struct variant_manifest),
	        .service = "ds"};
	kit_manifest_release_id(&kit, request->variant.manifest.release_id);
	layout_of_variant(&request->variant);
}

/* Lines of the log that begin, after their time, with this word. */
static unsigned int log_lines(const char *word)
{
	char path[128], line[1024];
	unsigned int n = 0;
	struct stat st;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/signer.log", test_ring);
	f = fopen(path, "r");
	assert(f != NULL && fstat(fileno(f), &st) == 0 && (st.st_mode & 07777) == 0600);
	while (fgets(line, sizeof(line), f) != NULL) {
		char *space = strchr(line, ' ');

		assert(space != NULL && line[strlen(line) - 1] == '\n');
		n += strncmp(space + 1, word, strlen(word)) == 0;
	}
	(void)fclose(f);
	return n;
}

/* All operations, many times, within the sandbox, and a clean end. */
static void test_serves(const char *lusign)
{
	struct process p = process_start(lusign, test_ring);
	struct signer_request sign, seal = {.magic = SIGNER_MAGIC, .op = SIGNER_SEAL};
	struct signer_request info = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO};
	static struct signer_reply reply;

	make_sign(&sign);
	for (uint64_t i = 0; i < 20; i++) {
		sign.id = i;
		assert(ask(&p, &sign, &reply) == 0);
		assert(reply.status == SIGNER_OK && reply.id == i && reply.part.len > 0);
		assert(ask(&p, &seal, &reply) == 0 && reply.status == SIGNER_OK);
		assert(ask(&p, &info, &reply) == 0 && reply.status == SIGNER_OK);
	}
	sign.variant.manifest.release_id[0] ^= 1;
	assert(ask(&p, &sign, &reply) == 0 && reply.status == SIGNER_REFUSED);
	make_sign(&sign);
	sign.variant.manifest.payload_hash[63] ^= 1;
	assert(ask(&p, &sign, &reply) == 0 && reply.status == SIGNER_REFUSED);
	assert(reply.reason == ENVELOPE_OTHER_LAYOUT);
	assert(process_end(&p) == 0);
	assert(log_lines("variant") == 20 && log_lines("refused") == 2 && log_lines("") == 22);
}

/* The shipped signer has given up its system calls. */
static void test_sandboxed(const char *lusign)
{
	struct process p = process_start(lusign, test_ring);
	struct signer_request info = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO};
	static struct signer_reply reply;
	char text[4096];
	FILE *f;
	size_t n;

	assert(ask(&p, &info, &reply) == 0);
	(void)snprintf(text, sizeof(text), "/proc/%d/status", (int)p.pid);
	f = fopen(text, "r");
	assert(f != NULL);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	assert(strstr(text, "\nSeccomp:\t2\n") != NULL);
	assert(process_end(&p) == 0);
}

/* The shipped signer's clock is the system's, whatever a test asks for. */
static void test_clock_is_real(const char *lusign)
{
	struct process p = process_start(lusign, test_ring);
	struct signer_request info = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO};
	static struct signer_reply reply;

	assert(ask(&p, &info, &reply) == 0);
	assert(reply.info.now + HOUR > (uint64_t)time(NULL));
	assert(process_end(&p) == 0);
}

static void test_clock_is_settable(const char *lusign_test)
{
	struct process p = process_start(lusign_test, test_ring);
	struct signer_request sign;
	static struct signer_reply reply;
	const struct variant_manifest *variant;
	uint64_t now = (uint64_t)time(NULL);

	make_sign(&sign);
	assert(ask(&p, &sign, &reply) == 0 && reply.status == SIGNER_OK);
	variant = (const void *)(reply.part.bytes + sizeof(struct envelope_part_header));
	assert(variant->expires < now && variant->issued >= now - 6 * HOUR - 60);
	assert(process_end(&p) == 0);
}

static void test_bad_request(const char *lusign)
{
	struct process p = process_start(lusign, test_ring);
	struct signer_request request = {.magic = "nothing", .op = SIGNER_INFO}, sign;
	static struct signer_reply reply;
	int status;

	assert(ask(&p, &request, &reply) == -1);
	status = process_end(&p);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	p = process_start(lusign, test_ring);
	assert(write(p.to, &request, 100) == 100);
	status = process_end(&p);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	/* More behind it than any flat kit has, and less than was said. */
	p = process_start(lusign, test_ring);
	make_sign(&sign);
	sign.variant.flat_len = KIT_FLAT_LEN_MAX + 1;
	assert(write(p.to, &sign, sizeof(sign)) == sizeof(sign));
	assert(reply_read(&p, &reply) == -1);
	status = process_end(&p);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	p = process_start(lusign, test_ring);
	make_sign(&sign);
	assert(write(p.to, &sign, sizeof(sign)) == sizeof(sign));
	status = process_end(&p);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 4);
}

/* A killed signer: its client sees the end, and the next one signs as before. */
static void test_killed(const char *lusign)
{
	struct process p = process_start(lusign, test_ring);
	struct signer_request sign;
	static struct signer_reply reply;

	make_sign(&sign);
	assert(ask(&p, &sign, &reply) == 0 && reply.status == SIGNER_OK);
	assert(kill(p.pid, SIGKILL) == 0);
	assert(reply_read(&p, &reply) == -1);
	assert(WIFSIGNALED(process_end(&p)));
	p = process_start(lusign, test_ring);
	assert(ask(&p, &sign, &reply) == 0 && reply.status == SIGNER_OK);
	assert(process_end(&p) == 0);
}

static void test_unusable_keys(const char *lusign)
{
	char path[128];
	struct process p;
	int status;

	(void)snprintf(path, sizeof(path), "%s/variant.pem", test_ring);
	assert(chmod(path, 0640) == 0);
	p = process_start(lusign, test_ring);
	status = process_end(&p);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	assert(chmod(path, 0600) == 0);
	p = process_start(lusign, "/nonexistent");
	status = process_end(&p);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 2);
}

static void setup(void)
{
	FILE *f;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(test_dir, sizeof(test_dir), "/tmp/lusign_test.XXXXXX");
	assert(mkdtemp(test_dir) != NULL);
	(void)snprintf(test_ring, sizeof(test_ring), "%s/ring", test_dir);
	(void)snprintf(test_clock, sizeof(test_clock), "%s/clock", test_dir);
	assert(keyring_create(test_ring, (uint64_t)time(NULL), 24 * HOUR) == 0);
	f = fopen(test_clock, "w");
	assert(f != NULL && fprintf(f, "-%d\n", (int)(6 * HOUR)) > 0 && fclose(f) == 0);
}

static void teardown(void)
{
	static const char *const names[] = {"ring/root.pem", "ring/release.pem", "ring/variant.pem",
	        "ring/order.pem", "ring/control.pem", "ring/audit.pem", "ring/root.signed",
	        "ring/signer.rules", "ring/signer.log", "clock"};
	char path[128];

	for (unsigned int i = 0; i < 10; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", test_dir, names[i]);
		assert(unlink(path) == 0);
	}
	assert(rmdir(test_ring) == 0 && rmdir(test_dir) == 0);
}

int main(int argc, char **argv)
{
	assert(argc == 3);
	setup();
	test_serves(argv[1]);
	test_sandboxed(argv[1]);
	test_clock_is_real(argv[1]);
	test_clock_is_settable(argv[2]);
	test_bad_request(argv[1]);
	test_killed(argv[1]);
	test_unusable_keys(argv[1]);
	teardown();
	return 0;
}
