#pragma once
/*
 * Whether virtual machines can have the CPU itself: `lud` asks before it starts one, `luctl doctor` to say
 * why not.
 */

#define KVM_CPUS "/proc/cpuinfo"
#define KVM_DEVICE "/dev/kvm"

enum kvm_state {
	KVM_READY,
	KVM_NO_CPU,    /* it has neither vmx nor svm; the device may be there all the same */
	KVM_NO_DEVICE, /* the kernel of this host offers it not */
	KVM_DENIED,    /* the device is there, and this user may not use it */
	_KVM_STATE_N,
};

/* By the two files above; a test names others. */
enum kvm_state kvm_ask(const char *cpus, const char *device);
