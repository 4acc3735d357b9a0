/* Which flags of a CPU and which device make a host that can. */
#undef NDEBUG
#include "host/kvm/kvm.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/kvm_test.XXXXXX";
static char cpus[64], device[64];

static void cpus_write(const char *text)
{
	FILE *file = fopen(cpus, "w");

	assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* A flag counts as a word of the line of flags, wherever it stands, and nowhere else. */
static void test_flags(void)
{
	static const struct {
		const char *text;
		enum kvm_state state;
	} rows[] = {
	        {"processor\t: 0\nflags\t\t: fpu vmx sse\n", KVM_READY},
	        {"flags\t\t: fpu svm\n", KVM_READY},
	        {"flags\t\t: fpu\tvmx", KVM_READY},
	        {"flags\t\t: fpu svm_lock xvmx\n", KVM_NO_CPU},
	        {"flags\t\t: fpu\nvmx flags\t: vmx ept\n", KVM_NO_CPU},
	        {"model name\t: vmx svm\n", KVM_NO_CPU},
	        {"", KVM_NO_CPU},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cpus_write(rows[i].text);
		assert(kvm_ask(cpus, device) == rows[i].state);
	}
	assert(kvm_ask("/nonexistent/cpuinfo", device) == KVM_NO_CPU);
}

/* As on a CPU with more flags than anybody has thought of. */
static void test_long_line(void)
{
	char *text = malloc(20000);

	assert(text);
	memset(text, 'x', 20000);
	memcpy(text, "flags : ", 8);
	memcpy(text + 20000 - 6, " vmx\n", 6);
	cpus_write(text);
	free(text);
	assert(kvm_ask(cpus, device) == KVM_READY);
}

/* Whoever may not use it: a child, since root may use whatever is there. */
static void test_device(void)
{
	pid_t pid;
	int status;

	cpus_write("flags : vmx\n");
	assert(kvm_ask(cpus, "/nonexistent/kvm") == KVM_NO_DEVICE);
	assert(chmod(dir, 0755) == 0 && chmod(cpus, 0644) == 0 && chmod(device, 0) == 0);
	pid = fork();
	if (pid == 0) {
		bool is_other = geteuid() != 0 || setresuid(60999, 60999, 60999) == 0;

		_exit(is_other && kvm_ask(cpus, device) == KVM_DENIED ? 0 : 1);
	}
	assert(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
	int fd;

	assert(mkdtemp(dir));
	snprintf(cpus, sizeof(cpus), "%s/cpuinfo", dir);
	snprintf(device, sizeof(device), "%s/kvm", dir);
	fd = open(device, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert(fd >= 0 && close(fd) == 0);
	test_flags();
	test_long_line();
	test_device();
	assert(unlink(cpus) == 0 && unlink(device) == 0 && rmdir(dir) == 0);
	return 0;
}
