"""For teachers, and for whoever learns alone: questions about each lesson, and notes to present it.

A lesson's file is NN.json; page and notebook show the same HTML, made from it.
"""

from .questions import Option, Question, Teaching, lessons, load
from .widget import quiz
