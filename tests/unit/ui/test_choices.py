"""A choice of several: each radio button stands beside its words."""

from __future__ import annotations

import re

from django import forms
from django.template.loader import render_to_string


class Choices(forms.Form):
    plain = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    own = forms.MultipleChoiceField(
        choices=[("c", "C")], widget=forms.CheckboxSelectMultiple(attrs={"class": "mine"})
    )


def test_every_button_has_the_class_that_puts_it_beside_its_words() -> None:
    form = Choices()
    for name, count in (("plain", 2), ("own", 1)):
        html = render_to_string("ui/field.html", {"field": form[name]})
        inputs = re.findall(r"<input[^>]*>", html)
        assert len(inputs) == count
        assert all("form-check-input" in each for each in inputs), html
        assert html.count('class="form-check-label"') == count
    assert 'class="form-check-input mine"' in html
