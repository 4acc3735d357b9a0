/*
 * I/O ports and interrupts, with the first serial port: it can be made to
 * interrupt by writing to it.
 */
#include "osd/suites/kcall/kcall.h"

#define COM1 0x3f8u
#define COM1_IER (COM1 + 1)
#define COM1_MCR (COM1 + 4)
#define COM1_LSR (COM1 + 5)
#define COM1_IRQ 4u
#define DELAY_PORT 0x80u

static struct puppet driver;

static void driver_new(struct puppet *p, uint32_t index)
{
	struct domain_privileges privileges = {.n_io = 2,
	        .io = {{COM1, COM1 + 7}, {0xffff, 0xffff}},
	        .n_irq = 2,
	        .irq = {COM1_IRQ, 11}};

	puppet_new(p, index, index ? "other" : "driver", 0);
	privileges_call(&privileges, KCALL_port_in);
	privileges_call(&privileges, KCALL_port_out);
	privileges_call(&privileges, KCALL_irq_hook);
	privileges_call(&privileges, KCALL_irq_enable);
	puppet_allow(p, &privileges);
}

static void test_ports(void)
{
	driver_new(&driver, 0);
	IS(E_OK, puppet_call(&driver, KCALL_port_out, COM1 + 7, 1, 0x5a));
	IS(E_OK, puppet_call(&driver, KCALL_port_in, COM1 + 7, 1)); /* scratch register */
	IS(0x5a, puppet_order(&driver)->second);
	IS(E_OK, puppet_call(&driver, KCALL_port_in, COM1_LSR, 1));
	OK(puppet_order(&driver)->second & 0x20);
	puppet_free(&driver);
}

static void test_port_errors(void)
{
	static const enum kcall numbers[] = {KCALL_port_in, KCALL_port_out};

	driver_new(&driver, 0);
	for (int i = 0; i < 2; i++) {
		IS(E_PERM, puppet_call(&driver, numbers[i], DELAY_PORT, 1));
		IS(E_PERM, puppet_call(&driver, numbers[i], COM1 - 1, 2)); /* reaches in */
		IS(E_PERM, puppet_call(&driver, numbers[i], COM1 + 7, 2)); /* reaches out */
		IS(E_INVAL, puppet_call(&driver, numbers[i], COM1, 3));
		IS(E_INVAL, puppet_call(&driver, numbers[i], COM1, 0));
		IS(E_INVAL, puppet_call(&driver, numbers[i], COM1, 1ul << 32 | 1));
		IS(E_INVAL, puppet_call(&driver, numbers[i], 0xffff, 2));
		IS(E_INVAL, puppet_call(&driver, numbers[i], ~0ul, 1));
		IS(E_INVAL, puppet_call(&driver, numbers[i], 1ul << 32 | COM1, 1));
	}
	puppet_free(&driver);
}

static void uart_interrupt_provoke(void)
{
	IS(E_OK, puppet_call(&driver, KCALL_port_out, COM1_MCR, 1, 0x0b)); /* OUT2: line on */
	IS(E_OK, puppet_call(&driver, KCALL_port_out, COM1_IER, 1, 0));
	IS(E_OK, puppet_call(&driver, KCALL_port_out, COM1_IER, 1, 2)); /* transmitter empty */
}

static void uart_quiet(void)
{
	IS(E_OK, puppet_call(&driver, KCALL_port_out, COM1_IER, 1, 0));
	IS(E_OK, puppet_call(&driver, KCALL_port_in, COM1 + 2, 1)); /* reading IIR acknowledges */
}

/* Delivered once, masked until irq_enable, then again. */
static void test_irq(void)
{
	err_t hook;

	driver_new(&driver, 0);
	hook = puppet_call(&driver, KCALL_irq_hook, COM1_IRQ, 9);
	OK(hook >= 0);
	IS(hook, puppet_call(&driver, KCALL_irq_hook, COM1_IRQ, 9));
	for (int i = 0; i < 3; i++) {
		IS(E_OK, puppet_call(&driver, KCALL_irq_enable, (uint64_t)hook));
		uart_interrupt_provoke();
		IS(E_OK, puppet_ipc(&driver, KCALL_receive, EP_HARDWARE, 0, 0));
		IS(MSG_NOTIFY, puppet_order(&driver)->msg.type);
		IS(EP_HARDWARE, puppet_order(&driver)->msg.source);
		IS(1 << 9, puppet_order(&driver)->msg.w[0]);
		uart_interrupt_provoke(); /* still masked: nothing arrives */
		puppet_ipc_begin(&driver, KCALL_receive, EP_HARDWARE, 0, 0);
		OK(puppet_waits(&driver));
		puppet_free(&driver);
		driver_new(&driver, 0);
		uart_quiet();
		IS(hook, puppet_call(&driver, KCALL_irq_hook, COM1_IRQ, 9));
	}
	puppet_free(&driver);
}

static void test_irq_errors(void)
{
	struct puppet other;
	err_t hook;

	driver_new(&driver, 0);
	driver_new(&other, 1);
	IS(E_INVAL, puppet_call(&driver, KCALL_irq_hook, COM1_IRQ, 64));
	IS(E_INVAL, puppet_call(&driver, KCALL_irq_hook, 100000, 1));
	IS(E_PERM, puppet_call(&driver, KCALL_irq_hook, 3, 1));
	hook = puppet_call(&driver, KCALL_irq_hook, COM1_IRQ, 1);
	OK(hook >= 0);
	IS(E_BUSY, puppet_call(&other, KCALL_irq_hook, COM1_IRQ, 1));
	IS(E_INVAL, puppet_call(&other, KCALL_irq_enable, (uint64_t)hook)); /* not its own */
	IS(E_INVAL, puppet_call(&driver, KCALL_irq_enable, 9999));
	IS(E_INVAL, puppet_call(&driver, KCALL_irq_enable, ~0ul));
	puppet_free(&driver);
	OK(puppet_call(&other, KCALL_irq_hook, COM1_IRQ, 1) >= 0); /* free again */
	puppet_free(&other);
}

const struct test tests_device[] = {
        {"port_in and port_out", test_ports},
        {"errors of port_in and port_out", test_port_errors},
        {"an interrupt, masked until irq_enable", test_irq},
        {"errors of irq_hook and irq_enable", test_irq_errors},
        {0},
};
