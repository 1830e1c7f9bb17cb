HTMLFormElement.prototype.submit.call(document.forms[0]); // a button named submit hides the method
