/** Code as people paste it for a security review: several languages, 1.5 to 8 KB, every one with holes. */

const pythonShop = `
import hashlib
import os
import pickle
import sqlite3
import subprocess

from flask import Flask, make_response, redirect, render_template_string, request, send_file

app = Flask(__name__)
app.secret_key = "dev-secret"
UPLOADS = "/srv/shop/uploads"


def db():
    connection = sqlite3.connect("/srv/shop/shop.db")
    connection.row_factory = sqlite3.Row
    return connection


def hash_password(password):
    return hashlib.md5(password.encode()).hexdigest()


@app.route("/login", methods=["POST"])
def login():
    name = request.form["name"]
    password = hash_password(request.form["password"])
    query = f"SELECT id, role FROM users WHERE name = '{name}' AND password = '{password}'"
    row = db().execute(query).fetchone()
    if row is None:
        return render_template_string("<p>No such user: " + name + "</p>"), 401
    response = make_response(redirect(request.args.get("next", "/")))
    response.set_cookie("session", pickle.dumps({"id": row["id"], "role": row["role"]}).hex())
    return response


def current_user():
    cookie = request.cookies.get("session")
    if cookie is None:
        return None
    return pickle.loads(bytes.fromhex(cookie))


@app.route("/search")
def search():
    term = request.args.get("q", "")
    order = request.args.get("order", "price")
    rows = db().execute(
        "SELECT name, price FROM products WHERE name LIKE '%" + term + "%' ORDER BY " + order
    ).fetchall()
    items = "".join(f"<li>{row['name']}: {row['price']}</li>" for row in rows)
    return render_template_string(f"<h1>Results for {term}</h1><ul>{items}</ul>")


@app.route("/invoice/<path:name>")
def invoice(name):
    return send_file(os.path.join(UPLOADS, name))


@app.route("/upload", methods=["POST"])
def upload():
    file = request.files["file"]
    path = os.path.join(UPLOADS, file.filename)
    file.save(path)
    subprocess.call("convert " + path + " -resize 200x200 " + path + ".thumb.png", shell=True)
    return {"stored": path}


@app.route("/admin/refund", methods=["GET"])
def refund():
    user = current_user()
    if user and user["role"] == "admin":
        order = request.args["order"]
        db().executescript(f"UPDATE orders SET refunded = 1 WHERE id = {order}")
        return {"refunded": order}
    return {"error": "forbidden"}, 403


if __name__ == "__main__":
    app.run(host="0.0.0.0", debug=True)
`;

const nodeAccounts = `
const express = require('express');
const jwt = require('jsonwebtoken');
const { exec } = require('child_process');
const fs = require('fs');
const path = require('path');
const axios = require('axios');
const { MongoClient } = require('mongodb');

const app = express();
app.use(express.json({ limit: '50mb' }));
const SECRET = process.env.JWT_SECRET || 'changeme';
let users;

MongoClient.connect('mongodb://localhost:27017').then((client) => {
  users = client.db('accounts').collection('users');
});

app.use((req, res, next) => {
  res.header('Access-Control-Allow-Origin', req.headers.origin);
  res.header('Access-Control-Allow-Credentials', 'true');
  next();
});

app.post('/login', async (req, res) => {
  const user = await users.findOne({ email: req.body.email, password: req.body.password });
  if (!user) return res.status(401).json({ error: 'unknown user ' + req.body.email });
  const token = jwt.sign({ id: user._id, admin: user.admin }, SECRET);
  res.cookie('token', token);
  res.json({ token });
});

function authenticate(req, res, next) {
  const token = req.headers.authorization || req.query.token;
  const decoded = jwt.decode(token);
  if (!decoded) return res.status(401).end();
  req.user = decoded;
  next();
}

app.patch('/users/:id', authenticate, async (req, res) => {
  await users.updateOne({ _id: req.params.id }, { $set: req.body });
  res.json(await users.findOne({ _id: req.params.id }));
});

app.get('/avatar', authenticate, async (req, res) => {
  const response = await axios.get(req.query.url, { responseType: 'arraybuffer' });
  fs.writeFileSync(path.join('/var/avatars', req.query.name), response.data);
  res.end();
});

app.get('/ping', (req, res) => {
  exec('ping -c 1 ' + req.query.host, (error, stdout) => res.send('<pre>' + stdout + '</pre>'));
});

function merge(target, source) {
  for (const key in source) {
    if (typeof source[key] === 'object') target[key] = merge(target[key] || {}, source[key]);
    else target[key] = source[key];
  }
  return target;
}

app.post('/settings', authenticate, (req, res) => {
  const settings = merge({}, req.body);
  const compute = new Function('settings', 'return ' + settings.formula);
  res.json({ value: compute(settings) });
});

app.get('/export', authenticate, async (req, res) => {
  const file = '/var/exports/' + req.query.file;
  if (new RegExp('^(a+)+$').test(req.query.file)) return res.status(400).end();
  res.sendFile(file);
});

app.listen(3000);
`;

const goFiles = `
package main

import (
	"crypto/sha1"
	"crypto/tls"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	_ "github.com/lib/pq"
)

const dsn = "postgres://app:S3cret!@db.internal/files?sslmode=disable"

var (
	db       *sql.DB
	sessions = map[string]string{}
)

type upload struct {
	Owner string \`json:"owner"\`
	Name  string \`json:"name"\`
	URL   string \`json:"url"\`
}

func token() string {
	sum := sha1.Sum([]byte(fmt.Sprint(rand.Int())))
	return hex.EncodeToString(sum[:])
}

func login(w http.ResponseWriter, r *http.Request) {
	name, password := r.FormValue("name"), r.FormValue("password")
	query := fmt.Sprintf("SELECT id FROM accounts WHERE name = '%s' AND password = '%s'", name, password)
	var id string
	if err := db.QueryRow(query).Scan(&id); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	session := token()
	sessions[session] = id
	http.SetCookie(w, &http.Cookie{Name: "session", Value: session})
	log.Printf("login of %s with %s", name, password)
}

func fetch(w http.ResponseWriter, r *http.Request) {
	var in upload
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := client.Get(in.URL)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	file, _ := os.OpenFile(filepath.Join("/data", in.Owner, in.Name), os.O_CREATE|os.O_WRONLY, 0o777)
	io.Copy(file, response.Body)
	exec.Command("sh", "-c", "unzip -o /data/"+in.Owner+"/"+in.Name+" -d /data/"+in.Owner).Run()
}

func profile(w http.ResponseWriter, r *http.Request) {
	cookie, _ := r.Cookie("session")
	page := template.Must(template.New("page").Parse("<h1>Hello {{.}}</h1>" + r.FormValue("motto")))
	page.Execute(w, sessions[cookie.Value])
}

func main() {
	db, _ = sql.Open("postgres", dsn)
	http.HandleFunc("/login", login)
	http.HandleFunc("/fetch", fetch)
	http.HandleFunc("/profile", profile)
	http.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir("/"))))
	log.Fatal(http.ListenAndServe(":8080", nil))
}
`;

const sqlPayroll = `
CREATE OR REPLACE FUNCTION payroll.search_employees(p_filter text, p_sort text)
RETURNS SETOF payroll.employees
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
  RETURN QUERY EXECUTE
    'SELECT * FROM payroll.employees WHERE department LIKE ''%' || p_filter || '%'' ORDER BY ' || p_sort;
END;
$$;

GRANT EXECUTE ON FUNCTION payroll.search_employees(text, text) TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA payroll TO reporting WITH GRANT OPTION;

CREATE TABLE payroll.credentials (
  employee_id integer REFERENCES payroll.employees (id),
  login       text UNIQUE,
  password    text NOT NULL,          -- plain, so that support can read it out
  reset_token text DEFAULT md5(random()::text),
  created_at  timestamp DEFAULT now()
);

CREATE OR REPLACE PROCEDURE payroll.raise_salary(p_login text, p_password text, p_employee integer, p_percent numeric)
LANGUAGE plpgsql
AS $$
DECLARE
  v_found integer;
BEGIN
  EXECUTE format('SELECT 1 FROM payroll.credentials WHERE login = ''%s'' AND password = ''%s''', p_login, p_password)
    INTO v_found;
  IF v_found IS NULL THEN
    RAISE EXCEPTION 'login % with password % is unknown', p_login, p_password;
  END IF;
  UPDATE payroll.employees SET salary = salary * (1 + p_percent / 100) WHERE id = p_employee;
  INSERT INTO payroll.audit (who, what) VALUES (p_login, 'raise ' || p_percent);
  COMMIT;
END;
$$;

CREATE VIEW payroll.public_directory AS
  SELECT e.*, c.login, c.reset_token
  FROM payroll.employees e LEFT JOIN payroll.credentials c ON c.employee_id = e.id;

GRANT SELECT ON payroll.public_directory TO anonymous;

CREATE OR REPLACE FUNCTION payroll.import_file(p_path text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  EXECUTE 'COPY payroll.imported FROM PROGRAM ''cat ' || p_path || '''';
END;
$$;
`;

export const codeSnippets: Readonly<Record<string, string>> = {
  "Python, a web shop": pythonShop,
  "Python, twice as long": `${pythonShop}\n\n# admin.py\n${pythonShop.replaceAll("shop", "admin")}`,
  "JavaScript, accounts": nodeAccounts,
  "Go, a file store": goFiles,
  "SQL, a payroll": sqlPayroll,
  "Python, a web shop, in a fence": `\`\`\`python\n${pythonShop}\n\`\`\``,
};
