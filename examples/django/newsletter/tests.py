from datetime import timedelta

from django.core import mail
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from autocron.testing import capture, drain

from .models import Reader
from .tasks import forget_unconfirmed, import_addresses, send_digest_on_mondays, send_mail


class SignUpTest(TestCase):
    def sign_up(self, address="Ann@example.org"):
        with self.captureOnCommitCallbacks(execute=True):  # or nothing is handed over in a TestCase
            return self.client.post(reverse("subscribe"), {"address": address}, follow=True)

    def test_a_mail_is_handed_over(self):
        with capture() as calls:
            self.assertContains(self.sign_up(), "Nearly there.")
        [call] = calls.of(send_mail)
        self.assertEqual(call.args[:2], ("Ann@example.org", "Please confirm"))
        self.assertIn(Reader.objects.get().token, call.args[2])

    def test_nobody_gets_two_mails(self):
        with capture() as calls:
            self.sign_up()
            self.sign_up("ann@example.org")
        self.assertEqual(len(calls), 1)

    def test_the_link_makes_a_reader(self):
        with capture():
            self.sign_up()
            drain()  # as workers would
        [letter] = mail.outbox
        link = letter.body.split()[-1]
        self.assertContains(self.client.get(link, follow=True), "1 reader so far")


class TaskTest(TestCase):
    @override_settings(SECONDS_PER_ADDRESS=0)
    def test_an_import_counts(self):
        with capture():
            result = import_addresses.enqueue(
                "a@example.org\nb@example.org,Bob\nA@example.org\nnobody\n"
            )
            drain()
            result.refresh()
        self.assertEqual(result.return_value, {"added": 2, "known": 1, "refused": 1})

    def test_the_digest_goes_to_those_who_have_confirmed(self):
        Reader.objects.create(address="ann@example.org", confirmed=True)
        Reader.objects.create(address="bob@example.org")
        with capture() as calls, self.captureOnCommitCallbacks(execute=True):
            send_digest_on_mondays.call()
        self.assertEqual([call.args[0] for call in calls], ["ann@example.org"])

    def test_the_unconfirmed_are_forgotten_after_two_days(self):
        for days in (1, 3):
            reader = Reader.objects.create(address=f"{days}@example.org")
            Reader.objects.filter(pk=reader.pk).update(since=timezone.now() - timedelta(days=days))
        forget_unconfirmed.call()
        self.assertEqual(Reader.objects.get().address, "1@example.org")
